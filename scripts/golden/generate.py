"""Writes test/golden: small ONNX models, an image, and what PyTorch computes from them. See README.md.

    python scripts/golden/generate.py
"""

import json
import logging
import pathlib
import platform
import warnings

import numpy
import onnx
import onnx.reference
import torch
from PIL import Image

from explanations import Run, explain
from networks import networks

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden"
CLASSES = 3
TARGETS = {"1": [0, 1, 0], "1-0": [-1, 1, 0]}
WIDTH, HEIGHT = 37, 29


def picture() -> numpy.ndarray:
    """Blobs and stripes in colour: no two pixels alike, no size a multiple of anything."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype(numpy.float64)
    red = 128 + 90 * numpy.sin(x / 3.1) * numpy.cos(y / 4.3)
    green = 255 * numpy.exp(-((x - 24) ** 2 + (y - 11) ** 2) / 60)
    blue = 255 * (x + 2 * y) / (WIDTH + 2 * HEIGHT)
    noise = numpy.random.default_rng(5).normal(0, 12, (HEIGHT, WIDTH, 3))
    return numpy.clip(numpy.stack([red, green, blue], axis=2) + noise, 0, 255).astype(numpy.uint8)


def tensor_of(pixels: numpy.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(numpy.float64) / 255).permute(2, 0, 1)[None]


def export(network: torch.nn.Module, stride: int) -> onnx.ModelProto:
    """As its users do it; the batch of 1 and the size are the example's."""
    example = torch.zeros(1, 3, 8 * stride, 8 * stride)
    program = torch.onnx.export(network, (example,), input_names=["image"], output_names=["logits"], dynamo=True, verbose=False)
    model = program.model_proto
    # The exporter notes file names and lines of this machine's libraries.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for values in (model.graph.value_info, model.graph.input, model.graph.output):
        for value in values:
            del value.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def name_of(model: onnx.ModelProto, image: torch.Tensor, activation: torch.Tensor) -> str:
    """The name of the value in the ONNX file that equals `activation`."""
    wanted = activation.detach().numpy()
    every = onnx.ModelProto()
    every.CopyFrom(model)
    del every.graph.output[:]
    for node in model.graph.node:
        every.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name)
    evaluator = onnx.reference.ReferenceEvaluator(every)
    values = evaluator.run(None, {"image": image.detach().numpy().astype(numpy.float32)})
    for name, value in zip(evaluator.output_names, values):
        if value.shape == wanted.shape and numpy.allclose(value, wanted, rtol=1e-4, atol=1e-4):
            return name
    raise LookupError("The layer is not in the ONNX file.")


def generate(name: str, network: torch.nn.Module, pixels: numpy.ndarray) -> dict:
    stride = network.body.stride
    model = export(network, stride)
    network = network.double()
    image = tensor_of(pixels)
    maps, entries = [], []
    for target, cotangent in TARGETS.items():
        for method, layer, values in explain(network, image, stride, torch.tensor(cotangent, dtype=torch.float64)):
            if method == "saliency" and float(values.max()) == 0:
                raise ValueError(f"{name}: the network is dead on this image, choose another seed")
            entries.append({"method": method, "layer": layer, "target": target})
            maps.append(values.numpy())
    run = Run(network, image, stride, torch.tensor(TARGETS["1"], dtype=torch.float64))
    onnx.save(model, OUT / f"{name}.onnx")
    numpy.save(OUT / f"{name}.npy", numpy.stack(maps).astype(numpy.float32))
    return {
        "name": name,
        "stride": stride,
        "inner": name_of(model, run.input, run.inner),
        "logits": run.logits[0].tolist(),
        "extendedLogits": network(run.input)[0].tolist(),
        "maps": entries,
    }


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.use_deterministic_algorithms(True)
    OUT.mkdir(parents=True, exist_ok=True)
    pixels = picture()
    Image.fromarray(pixels).save(OUT / "image.png")
    models = [generate(name, network, pixels) for name, network in networks(CLASSES).items()]
    document = {
        "image": {"file": "image.png", "width": WIDTH, "height": HEIGHT},
        "made": {"torch": torch.__version__, "onnx": onnx.__version__, "python": platform.python_version()},
        "models": models,
    }
    (OUT / "golden.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
