"""The benchmark's U-Net in PyTorch, explained by pytorch-grad-cam as its users run it. Driven over standard input and output.

The first line of input: {"weights": path, "layout": [{"name", "shape"}], "image": path, "width", "height", "tile",
"depth", "device"}. Every further line names a variant to run; the answer is {"seconds"} or {"error"}; to "logits" it is {"logits"}, of the
first tile.
"""

import json
import os
import sys
import time

import numpy
import torch
import torch._dynamo
import torch._functorch.config
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn


class Block(nn.Module):
    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))


class UNet(nn.Module):
    """Classical U-Net, mean pool over all pixels, one linear layer."""

    def __init__(self, depth: int, base: int, classes: int):
        super().__init__()
        widths = [base * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(Block(a, b) for a, b in zip([3, *widths], widths))
        self.transposed = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[:-1])
        self.up = nn.ModuleList(Block(2 * w, w) for w in widths[:-1])
        self.head = nn.Linear(base, classes)

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](torch.cat([skips[level], self.transposed[level](x)], dim=1))
        return self.head(x.mean((2, 3)))


def load(setup: dict) -> UNet:
    flat = numpy.fromfile(setup["weights"], dtype=numpy.float32)
    tensors, at = {}, 0
    for entry in setup["layout"]:
        size = int(numpy.prod(entry["shape"]))
        tensors[entry["name"]] = torch.from_numpy(flat[at : at + size].reshape(entry["shape"]).copy())
        at += size
    depth = setup["depth"]
    network = UNet(depth, tensors["head.weight"].shape[0], tensors["head.weight"].shape[1])
    state = {}
    for name, tensor in tensors.items():
        level_name, *rest = name.split(".")
        if level_name == "head":
            state[name] = tensor.T if rest == ["weight"] else tensor
        elif rest[0] == "transposed":
            state[f"transposed.{level_name.removeprefix('up')}.{rest[1]}"] = tensor
        else:
            side = "up" if level_name.startswith("up") else "down"
            state[f"{side}.{level_name.removeprefix(side)}.{'.'.join(rest)}"] = tensor
    network.load_state_dict(state)
    return network.eval()


def tiles(pixels: numpy.ndarray, side: int, device: torch.device):
    """Tiles without a halo: less than what exact maps need, so that PyTorch computes less than Slidelight."""
    for y in range(0, pixels.shape[0], side):
        for x in range(0, pixels.shape[1], side):
            tile = numpy.ascontiguousarray(pixels[y : y + side, x : x + side])
            yield torch.from_numpy(tile).to(device).permute(2, 0, 1)[None].float() / 255


def dtype_of(words: frozenset) -> torch.dtype:
    return torch.bfloat16 if "bfloat16" in words else torch.float16 if "float16" in words else torch.float32


# Hooks break the network into parts, each of which is compiled: more of them than the default allows.
torch._dynamo.config.recompile_limit = 64
# pytorch-grad-cam keeps the graph after its backward pass.
torch._functorch.config.donated_buffer = False


class Bench:
    """Runs variants by name: "<what> [channels last] [tf32 | bfloat16 | float16] [compiled]"; what is grad-cam, forward or gradient."""

    def __init__(self, setup: dict):
        self.setup = setup
        self.pixels = numpy.fromfile(setup["image"], dtype=numpy.uint8).reshape(setup["height"], setup["width"], 3)
        self.side = setup["tile"]
        self.device = torch.device(setup["device"])
        self.networks: dict[tuple, tuple[nn.Module, nn.Module]] = {}

    def network(self, words: frozenset, frozen: bool) -> tuple[nn.Module, nn.Module]:
        """The network to call, and the one whose layers can be named; made once."""
        key = (words, frozen)
        if key not in self.networks:
            inner = load(self.setup).to(self.device)
            if "channels" in words:
                inner = inner.to(memory_format=torch.channels_last)
            inner = inner.to(dtype_of(words))
            if frozen:
                inner.requires_grad_(False)
            self.networks[key] = (torch.compile(inner) if "compiled" in words else inner, inner)
        return self.networks[key]

    def inputs(self, words: frozenset):
        memory_format = torch.channels_last if "channels" in words else torch.contiguous_format
        for tile in tiles(self.pixels, self.side, self.device):
            yield tile.to(dtype_of(words)).contiguous(memory_format=memory_format)

    def grad_cam(self, words: frozenset) -> None:
        network, inner = self.network(words, frozen=False)
        with GradCAM(model=network, target_layers=[inner.up[0]]) as cam:
            for tile in self.inputs(words):
                cam(input_tensor=tile, targets=[ClassifierOutputTarget(1)])

    def forward(self, words: frozenset) -> None:
        network, _ = self.network(words, frozen=True)
        with torch.inference_mode():
            for tile in self.inputs(words):
                network(tile)

    def gradient(self, words: frozenset) -> None:
        """Forward, and gradient to the input alone: weights need none."""
        network, _ = self.network(words, frozen=True)
        for tile in self.inputs(words):
            tile.requires_grad_(True)
            torch.autograd.grad(network(tile)[0, 1], tile)

    def logits(self) -> list[float]:
        network, _ = self.network(frozenset(), frozen=True)
        with torch.inference_mode():
            return network(next(self.inputs(frozenset())))[0].tolist()

    def run(self, variant: str) -> None:
        what, *rest = variant.split()
        words = frozenset(rest)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = "tf32" in words
        {"grad-cam": self.grad_cam, "forward": self.forward, "gradient": self.gradient}[what](words)
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    # Libraries print progress; standard output is for replies.
    os.dup2(2, 1)

    def reply(document: dict) -> None:
        replies.write(json.dumps(document) + "\n")
        replies.flush()

    bench = Bench(json.loads(sys.stdin.readline()))
    name = torch.cuda.get_device_name() if bench.device.type == "cuda" else "cpu"
    reply({"torch": torch.__version__, "threads": torch.get_num_threads(), "device": name})
    for line in sys.stdin:
        variant = line.strip()
        started = time.perf_counter()
        try:
            if variant == "logits":
                reply({"logits": bench.logits()})
                continue
            bench.run(variant)
            reply({"seconds": time.perf_counter() - started})
        except Exception as error:  # A compiler that is missing must not end the comparison.
            reply({"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]})


if __name__ == "__main__":
    main()
