"""Writes the ONNX standard's own operator tests as files.

Usage: python onnx-standard-tests.py FOLDER

For each case of one tensor-valued model: FOLDER/<case>/model.onnx, input_<i>.pb, output_<i>.pb (TensorProto), and in
FOLDER/cases.json the list of them with the operators that they use and the tolerances that they state.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.simplefilter("ignore")


def tensors(values, declared):
    """TensorProtos under the names that the model declares; None where a value is no tensor."""
    protos = []
    for value, info in zip(values, declared):
        if isinstance(value, onnx.TensorProto):
            proto = onnx.TensorProto()
            proto.CopyFrom(value)
            proto.name = info.name
        elif isinstance(value, (np.ndarray, np.generic)):
            proto = numpy_helper.from_array(np.asarray(value), info.name)
        else:
            return None
        protos.append(proto)
    return protos


def write_case(case, folder):
    """The case's entry in the list; None for one with sequences, maps, optionals or sub-graphs."""
    graph = case.model.graph
    inputs, outputs = case.data_sets[0]
    inputs, outputs = tensors(inputs, graph.input), tensors(outputs, graph.output)
    if inputs is None or outputs is None:
        return None
    target = folder / case.name
    target.mkdir()
    (target / "model.onnx").write_bytes(case.model.SerializeToString())
    for kind, protos in (("input", inputs), ("output", outputs)):
        for index, proto in enumerate(protos):
            (target / f"{kind}_{index}.pb").write_bytes(proto.SerializeToString())
    operators = sorted({f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in graph.node})
    return {
        "name": case.name,
        "operators": operators,
        "inputs": len(inputs),
        "outputs": len(outputs),
        "relativeTolerance": case.rtol,
        "absoluteTolerance": case.atol,
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = sorted(collect_testcases(None), key=lambda case: case.name)
    entries = [write_case(case, folder) for case in cases]
    written = [entry for entry in entries if entry is not None]
    (folder / "cases.json").write_text(json.dumps(written))
    print(f"{len(written)} of {len(cases)} cases of onnx {onnx.__version__}")


if __name__ == "__main__":
    main()
