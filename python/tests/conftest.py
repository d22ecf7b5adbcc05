"""What the tests share: models, and the folder of those whose relevance other code computed (fixtures/README.md)."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture
def digits():
    """The path of a network that reads handwritten digits, its images, and their relevance by the rule `abslrp-notebook`."""
    return FIXTURES / "digits.legacy17.onnx", np.load(FIXTURES / "digits.npz")


@pytest.fixture
def mlp():
    """A model of two layers, its weights, and inputs."""
    random = np.random.default_rng(7)
    w, b, v = random.normal(size=(5, 8)), random.normal(size=8), random.normal(size=(8, 3))
    w, b, v = (array.astype(np.float32) for array in (w, b, v))
    x = random.normal(size=(4, 5)).astype(np.float32)
    return two_layers(w, b, v), (w, b, v), x


def two_layers(w, b, v, dtype=TensorProto.FLOAT) -> onnx.ModelProto:
    """`ReLU(x w + b) v`."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["a"], name="relu"),
        helper.make_node("MatMul", ["a", "v"], ["y"], name="second"),
    ]
    return model(nodes, {"x": (dtype, ["N", w.shape[0]])}, {"y": (dtype, ["N", v.shape[1]])}, w=w, b=b, v=v)


def model(nodes, inputs, outputs, **weights) -> onnx.ModelProto:
    """A model of operator set 17."""
    infos = [
        [helper.make_tensor_value_info(name, dtype, shape) for name, (dtype, shape) in values.items()]
        for values in (inputs, outputs)
    ]
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", *infos, initializer=initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
