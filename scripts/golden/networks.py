"""The networks of the golden files, as a PyTorch user writes them. Weights are drawn from a seed; nothing is trained."""

from collections.abc import Callable

import torch
from torch import nn


class Block(nn.Module):
    """Two 3x3 same convolutions with ReLU."""

    def __init__(self, channels_in: int, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.second(self.first(x).relu()).relu()


class UNet(nn.Module):
    """The body of a U-Net: 3 channels to `base` channels at the image's resolution."""

    def __init__(self, depth: int, base: int):
        super().__init__()
        self.stride = 2**depth
        widths = [base * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(Block(a, b) for a, b in zip([3, *widths], widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(Block(2 * w, w) for w in reversed(widths[:-1]))

    def forward(self, x):
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else nn.functional.max_pool2d(x, 2))
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips[:-1])):
            x = merge(torch.cat([skip, up(x)], dim=1))
        return x


class Residual(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.short = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
        self.short_norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.first_norm(self.first(x)).relu()
        y = self.second_norm(self.second(y))
        return (y + self.short_norm(self.short(x))).relu()


class ResNet(nn.Module):
    """An ordinary classifier's body: total stride 8, batch normalisation, a max-pool with pads."""

    def __init__(self):
        super().__init__()
        self.stride = 8
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stage1 = Residual(8, 8, 1)
        self.stage2 = Residual(8, 16, 2)

    def forward(self, x):
        return self.stage2(self.stage1(self.pool(self.stem_norm(self.stem(x)).relu())))


class MeanPool(nn.Module):
    def forward(self, a):
        return a.mean((2, 3))


class MaxPool(nn.Module):
    def forward(self, a):
        return a.amax((2, 3))


class GeneralisedMean(nn.Module):
    """(mean a^p)^(1/p), p = 3, of values that are not 0: see Floor."""

    def forward(self, a):
        return a.pow(3).mean((2, 3)).pow(1 / 3)


class Floor(nn.Module):
    """
    The clamp of the usual generalised mean. It is part of the body here, because the exporter merges it with the ReLU
    before it into one Clip: what is pooled is the Clip's value.
    """

    def __init__(self, body: nn.Module):
        super().__init__()
        self.stride = body.stride
        self.body = body

    def forward(self, x):
        return self.body(x).clamp(min=1e-6)


class Classifier(nn.Module):
    """head(pool(body(x))); the pool's class features go through one linear layer."""

    def __init__(self, body: nn.Module, inner: nn.Module, pool: nn.Module, features: int, classes: int):
        super().__init__()
        self.body = body
        self.pool = pool
        self.head = nn.Linear(features, classes)
        # Not registered as children a second time: only remembered.
        self.inner = [inner]

    def score(self, a):
        """Class scores from the body's features."""
        return self.head(self.pool(a))

    def class_weights(self):
        return self.head.weight

    def forward(self, x):
        return self.score(self.body(x))


class PixelScores(nn.Module):
    """A body that ends in a score for each class and pixel."""

    def __init__(self, body: nn.Module, features: int, classes: int):
        super().__init__()
        self.stride = body.stride
        self.body = body
        self.scores = nn.Conv2d(features, classes, 1)

    def forward(self, x):
        return self.scores(self.body(x))


class LogSumExp(nn.Module):
    """(1/r) log sum exp(r s) over the pixels of each class's scores, r = 4."""

    def __init__(self, body: nn.Module, inner: nn.Module, classes: int):
        super().__init__()
        self.body = body
        self.classes = classes
        self.inner = [inner]

    def score(self, a):
        return torch.logsumexp(4.0 * a, dim=(2, 3)) / 4.0

    def class_weights(self):
        """A class's score is its own pooled map."""
        return torch.eye(self.classes, dtype=torch.float64)

    def forward(self, x):
        return self.score(self.body(x))


def networks(classes: int) -> dict[str, nn.Module]:
    """By name, in evaluation mode, float32."""
    made: dict[str, nn.Module] = {}

    def add(name: str, seed: int, make: Callable[[], nn.Module]) -> None:
        torch.manual_seed(seed)
        network = make().eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.normal_(module.bias, std=0.1)
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.2)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.5)
        made[name] = network

    def unet(pool: nn.Module) -> Classifier:
        body = UNet(depth=2, base=4)
        return Classifier(body, body.down[2], pool, 4, classes)

    def generalised_mean() -> Classifier:
        body = UNet(depth=2, base=4)
        return Classifier(Floor(body), body.down[2], GeneralisedMean(), 4, classes)

    def scores() -> LogSumExp:
        body = UNet(depth=2, base=4)
        return LogSumExp(PixelScores(body, 4, classes), body.down[2], classes)

    def resnet() -> Classifier:
        body = ResNet()
        return Classifier(body, body.stage1, MeanPool(), 16, classes)

    add("unet-mean", 22, lambda: unet(MeanPool()))
    add("unet-generalised-mean", 22, generalised_mean)
    add("unet-log-sum-exp", 16, scores)
    add("unet-max", 18, lambda: unet(MaxPool()))
    add("resnet-mean", 21, resnet)
    return made
