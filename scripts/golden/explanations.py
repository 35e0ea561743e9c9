"""Explanation maps by PyTorch's autograd in float64, from the definitions in README.md: no shortcut of ours in them."""

import torch
from torch import nn


def extended(image: torch.Tensor, stride: int) -> torch.Tensor:
    """Repeats the last column and row up to a multiple of the stride."""
    height, width = image.shape[-2:]
    return nn.functional.pad(image, (0, -width % stride, 0, -height % stride), mode="replicate")


def cropped(a: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
    """The cells that lie over the image: ceil(size / stride)."""
    return a[..., : -(-size[0] // stride), : -(-size[1] // stride)]


def upsampled(cells: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
    if stride == 1:
        return cells
    scaled = nn.functional.interpolate(cells, scale_factor=stride, mode="bilinear", align_corners=False)
    return scaled[..., : size[0], : size[1]]


class Run:
    """One pass of the network with the values that explanations need; `y` is what is explained."""

    def __init__(self, network: nn.Module, image: torch.Tensor, stride: int, cotangent: torch.Tensor):
        self.size = tuple(image.shape[-2:])
        self.input = extended(image, stride).requires_grad_()
        self.whole = tuple(self.input.shape[-2:])
        kept: list[torch.Tensor] = []
        hook = network.inner[0].register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        features = network.body(self.input)
        hook.remove()
        self.inner = kept[0]
        self.inner_stride = self.whole[0] // self.inner.shape[-2]
        self.pooled_stride = self.whole[0] // features.shape[-2]
        # The features are cropped to the image before they are pooled.
        self.pooled = cropped(features, self.size, self.pooled_stride)
        self.logits = network.score(self.pooled)
        self.y = (self.logits[0] * cotangent).sum()
        self.weights = cotangent @ network.class_weights()

    def gradient(self, wrt: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(self.y, wrt, retain_graph=True)[0]


def layer_maps(activation: torch.Tensor, gradient: torch.Tensor) -> dict[str, torch.Tensor]:
    mean = gradient.mean((2, 3), keepdim=True)
    return {
        "grad-cam": (mean * activation).sum(1, keepdim=True).relu(),
        "hires-cam": (gradient * activation).sum(1, keepdim=True),
        "layer-cam": (gradient.relu() * activation).sum(1, keepdim=True),
    }


def explain(network: nn.Module, image: torch.Tensor, stride: int, cotangent: torch.Tensor):
    """Yields (method, layer, map [height, width]); `layer` is "pooled", "inner" or "input"."""
    run = Run(network, image, stride, cotangent)

    def finished(cells: torch.Tensor, layer_stride: int) -> torch.Tensor:
        return upsampled(cells, run.size, layer_stride)[0, 0].detach()

    weights = run.weights.reshape(1, -1, 1, 1)
    yield "cam", "pooled", finished((weights * run.pooled).sum(1, keepdim=True), run.pooled_stride)
    for method, cells in layer_maps(run.pooled, run.gradient(run.pooled)).items():
        yield method, "pooled", finished(cells, run.pooled_stride)

    activation = cropped(run.inner, run.size, run.inner_stride)
    gradient = cropped(run.gradient(run.inner), run.size, run.inner_stride)
    for method, cells in layer_maps(activation, gradient).items():
        yield method, "inner", finished(cells, run.inner_stride)

    height, width = run.size
    gradient = run.gradient(run.input)[..., :height, :width]
    yield "saliency", "input", gradient.abs().amax(1)[0].detach()
    yield "input-x-gradient", "input", (run.input[..., :height, :width] * gradient).sum(1)[0].detach()
