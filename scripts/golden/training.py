"""Writes test/golden/training.json and training.f32: a small U-Net classifier's first steps in PyTorch. See README.md.

    python scripts/golden/training.py
"""

import json
import pathlib
import platform

import numpy
import torch
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden"
DEPTH, BASE, CLASSES, IMAGES, SIDE, STEPS = 2, 4, 3, 4, 16, 20
MEAN, STD = [0.5, 0.45, 0.4], [0.25, 0.2, 0.3]
POWER, ENCODER_LOSS, RATE, DECAY = 2.0, 0.5, 2e-3, 0.05
CLASS_WEIGHTS = [1.0, 2.0, 0.5]


class Block(nn.Module):
    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()


class UNet(nn.Module):
    """Pooled by a generalised mean with a learnt power; a second head on the maxima of the encoder's last value."""

    def __init__(self):
        super().__init__()
        widths = [BASE * 2**level for level in range(DEPTH + 1)]
        self.down = nn.ModuleList(Block(a, b) for a, b in zip([3, *widths], widths))
        self.transposed = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[:-1])
        self.up = nn.ModuleList(Block(2 * w, w) for w in widths[:-1])
        self.head = nn.Linear(BASE, CLASSES)
        self.encoder = nn.Linear(widths[-1], CLASSES)
        self.power = nn.Parameter(torch.tensor([POWER]))

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        second = self.encoder(x.amax((2, 3)))
        for level in reversed(range(DEPTH)):
            x = self.up[level](torch.cat([skips[level], self.transposed[level](x)], dim=1))
        pooled = x.clamp(min=1e-6).pow(self.power).mean((2, 3)).pow(1 / self.power)
        return self.head(pooled), second


def slidelight_name(name: str) -> str:
    """`down.0.norm1.weight` as Slidelight calls it: `down0.conv1.scale`."""
    parts = name.split(".")
    if parts[0] == "power":
        return "pool.power"
    if parts[0] in ("head", "encoder"):
        return name
    if parts[0] == "transposed":
        return f"up{parts[1]}.transposed.{parts[2]}"
    block, layer, kind = f"{parts[0]}{parts[1]}", parts[2], parts[3]
    if layer.startswith("norm"):
        ends = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}
        return f"{block}.conv{layer[-1]}.{ends[kind]}"
    return f"{block}.{layer}.{kind}"


def values_of(name: str, tensor: torch.Tensor) -> numpy.ndarray:
    """A linear layer's weight is [outputs, inputs] in PyTorch, [inputs, outputs] here."""
    values = tensor.detach().numpy()
    return values.T if name in ("head.weight", "encoder.weight") else values


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels [IMAGES, SIDE, SIDE, 3]: bytes of an integer hash, half as bright in the band of rows that tells the class."""
    at = numpy.arange(IMAGES * SIDE * SIDE * 3, dtype=numpy.uint32)
    pixels = ((at + numpy.uint32(step * 7919 + 1)) * numpy.uint32(2654435761)) >> numpy.uint32(24)
    pixels = pixels.reshape(IMAGES, SIDE, SIDE, 3)
    labels = [(step + image * 2) % CLASSES for image in range(IMAGES)]
    for image, label in enumerate(labels):
        pixels[image, label * 5 : label * 5 + 3] //= 2
    return torch.from_numpy(pixels.astype(numpy.float64)), torch.tensor(labels)


def main() -> None:
    torch.manual_seed(11)
    network = UNet()
    parameters = [(slidelight_name(name), name, p) for name, p in network.named_parameters()]
    flat = [values_of(name, p).astype(numpy.float32).ravel() for _, name, p in parameters]
    layout = [{"name": own, "shape": list(values_of(name, p).shape)} for own, name, p in parameters]
    numpy.concatenate(flat).astype("<f4").tofile(OUT / "training.f32")
    network = network.double()
    decayed = [p for own, _, p in ((slidelight_name(n), n, p) for n, p in network.named_parameters()) if own.endswith(".weight")]
    others = [p for own, _, p in ((slidelight_name(n), n, p) for n, p in network.named_parameters()) if not own.endswith(".weight")]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}], lr=RATE)
    weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
    mean, std = (torch.tensor(v, dtype=torch.float64).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    losses, encoder_losses = [], []
    for step in range(STEPS):
        pixels, labels = batch(step)
        logits, second = network((pixels.permute(0, 3, 1, 2) / 255 - mean) / std)
        loss = nn.functional.cross_entropy(logits, labels, weight=weights)
        encoder_loss = nn.functional.cross_entropy(second, labels, weight=weights)
        optimiser.zero_grad()
        (loss + ENCODER_LOSS * encoder_loss).backward()
        optimiser.step()
        losses.append(loss.item())
        encoder_losses.append(encoder_loss.item())
    network.eval()
    with torch.no_grad():
        frozen, _ = network((batch(STEPS)[0].permute(0, 3, 1, 2) / 255 - mean) / std)
    golden = {
        "madeWith": {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__},
        "depth": DEPTH,
        "baseChannels": BASE,
        "classes": CLASSES,
        "images": IMAGES,
        "side": SIDE,
        "mean": MEAN,
        "std": STD,
        "power": POWER,
        "encoderLoss": ENCODER_LOSS,
        "rate": RATE,
        "weightDecay": DECAY,
        "classWeights": CLASS_WEIGHTS,
        "layout": layout,
        "losses": losses,
        "encoderLosses": encoder_losses,
        "frozenLogits": frozen.ravel().tolist(),
        "finalPower": network.power.item(),
    }
    (OUT / "training.json").write_text(json.dumps(golden, indent=1) + "\n")


main()
