"""The benchmark's U-Net in PyTorch, explained by pytorch-grad-cam as its users run it. Driven over standard input and output.

The first line of input: {"weights": path, "layout": [{"name", "shape"}], "image": path, "width", "height", "tile",
"depth"}. Every further line names a variant to run; the answer is {"seconds"} or {"error"}; to "logits" it is {"logits"}, of the
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


def tiles(pixels: numpy.ndarray, side: int):
    """Tiles without a halo: less than what exact maps need, so that PyTorch computes less than Slidelight."""
    for y in range(0, pixels.shape[0], side):
        for x in range(0, pixels.shape[1], side):
            tile = numpy.ascontiguousarray(pixels[y : y + side, x : x + side])
            yield torch.from_numpy(tile).permute(2, 0, 1)[None].float() / 255


# Hooks break the network into parts, each of which is compiled: more of them than the default allows.
torch._dynamo.config.recompile_limit = 64
# pytorch-grad-cam keeps the graph after its backward pass.
torch._functorch.config.donated_buffer = False


class Bench:
    def __init__(self, setup: dict):
        self.pixels = numpy.fromfile(setup["image"], dtype=numpy.uint8).reshape(setup["height"], setup["width"], 3)
        self.side = setup["tile"]
        self.plain = load(setup)
        self.last = load(setup).to(memory_format=torch.channels_last)
        self.compiled = torch.compile(self.last)

    def grad_cam(self, network: nn.Module, layer: nn.Module, memory_format: torch.memory_format) -> None:
        with GradCAM(model=network, target_layers=[layer]) as cam:
            for tile in tiles(self.pixels, self.side):
                cam(input_tensor=tile.contiguous(memory_format=memory_format), targets=[ClassifierOutputTarget(1)])

    def forward(self, network: nn.Module, memory_format: torch.memory_format) -> None:
        with torch.inference_mode():
            for tile in tiles(self.pixels, self.side):
                network(tile.contiguous(memory_format=memory_format))

    def logits(self) -> list[float]:
        with torch.inference_mode():
            return self.plain(next(tiles(self.pixels, self.side)))[0].tolist()

    def run(self, variant: str) -> None:
        nchw, nhwc = torch.contiguous_format, torch.channels_last
        match variant:
            case "grad-cam":
                self.grad_cam(self.plain, self.plain.up[0], nchw)
            case "grad-cam channels last":
                self.grad_cam(self.last, self.last.up[0], nhwc)
            case "grad-cam channels last compiled":
                self.grad_cam(self.compiled, self.last.up[0], nhwc)
            case "forward":
                self.forward(self.plain, nchw)
            case "forward channels last":
                self.forward(self.last, nhwc)
            case "forward channels last compiled":
                self.forward(self.compiled, nhwc)
            case _:
                raise ValueError(f"There is no variant {variant}.")


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    # Libraries print progress; standard output is for replies.
    os.dup2(2, 1)

    def reply(document: dict) -> None:
        replies.write(json.dumps(document) + "\n")
        replies.flush()

    bench = Bench(json.loads(sys.stdin.readline()))
    reply({"torch": torch.__version__, "threads": torch.get_num_threads()})
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
