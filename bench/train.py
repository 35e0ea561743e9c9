"""Training steps of the benchmark's U-Net in PyTorch. Driven over standard input and output.

The first line of input: {"depth", "base", "images", "side", "threads"?}. Every further line names a variant, "eager" or "channels last"; the
answer is {"seconds", "cpuSeconds"} of one step: forward, backward, AdamW, from bytes in memory.
"""

import json
import sys
import time

import torch
from torch import nn


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
    """As slidelight train makes it by default: a generalised mean with a learnt power, a second head on the encoder."""

    def __init__(self, depth: int, base: int):
        super().__init__()
        widths = [base * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(Block(a, b) for a, b in zip([3, *widths], widths))
        self.reduce = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths[:-1])
        self.up = nn.ModuleList(Block(2 * w, w) for w in widths[:-1])
        self.head = nn.Linear(base, 2)
        self.encoder = nn.Linear(widths[-1], 2)
        self.power = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        second = self.encoder(x.amax((2, 3)))
        for level in reversed(range(len(self.up))):
            finer = nn.functional.interpolate(self.reduce[level](x), scale_factor=2, mode="nearest")
            x = self.up[level](torch.cat([skips[level], finer], dim=1))
        pooled = x.clamp(min=1e-6).pow(self.power).mean((2, 3)).pow(1 / self.power)
        return self.head(pooled), second


class Bench:
    def __init__(self, setup: dict):
        self.setup = setup
        shape = (setup["images"], setup["side"], setup["side"], 3)
        self.pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
        self.labels = torch.arange(setup["images"]) % 2
        self.trained: dict[str, tuple[nn.Module, torch.optim.Optimizer]] = {}

    def step(self, variant: str) -> dict:
        layout = torch.channels_last if variant == "channels last" else torch.contiguous_format
        if variant not in self.trained:
            network = UNet(self.setup["depth"], self.setup["base"]).to(memory_format=layout)
            self.trained[variant] = (network, torch.optim.AdamW(network.parameters(), lr=1e-3))
        network, optimiser = self.trained[variant]
        started, used = time.perf_counter(), time.process_time()
        images = ((self.pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25).contiguous(memory_format=layout)
        logits, second = network(images)
        loss = nn.functional.cross_entropy(logits, self.labels) + nn.functional.cross_entropy(second, self.labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
        return {"seconds": time.perf_counter() - started, "cpuSeconds": time.process_time() - used}


setup = json.loads(sys.stdin.readline())
if "threads" in setup:
    torch.set_num_threads(setup["threads"])
bench = Bench(setup)
print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
for line in sys.stdin:
    try:
        print(json.dumps(bench.step(line.strip())), flush=True)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
