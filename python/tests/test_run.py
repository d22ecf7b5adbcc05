"""Models that run: explained, verified, evaluated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from onnx import TensorProto, helper

import abslrp
from conftest import FIXTURES, model, two_layers


def test_an_explainer_is_loaded_once_and_run_often(mlp):
    proto, (w, b, v), x = mlp
    explain = abslrp.Explainer(abslrp.compile(proto, rule="gradient-x-input", target="argmax"))
    assert explain.inputs == [("x", "float32", [None, 5])]
    for sample in x:
        # The formula, in float64: the score itself, times what one unit of an input changes.
        h = sample.astype(np.float64) @ w + b
        y = np.maximum(h, 0) @ v
        wanted = sample * (w @ ((h > 0) * v[:, y.argmax()])) * y.max()
        # Numbers of other widths are converted.
        found = explain(sample[None].astype(np.float64))
        np.testing.assert_allclose(found["y"][0], y, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["x_relevance"][0], wanted, rtol=1e-4, atol=1e-5)


def test_relevance_on_demand_and_coarse_maps(digits):
    path, golden = digits
    x = golden["in"]
    always = abslrp.explain(path, x, target="argmax")
    asked = abslrp.Explainer(path, target="argmax", on_demand=True)
    np.testing.assert_allclose(asked(x)["x_relevance"], always["x_relevance"], rtol=1e-4, atol=1e-6)
    silent = asked({"x": x, "explain": False})
    assert len(silent["x_relevance"]) == 0
    np.testing.assert_allclose(silent["logits"], always["logits"], rtol=1e-5, atol=1e-5)
    # A coarse map is as large as a channel of the input, and its sum is that of the tensor.
    relu = "/6/Relu_output_0"
    coarse = abslrp.explain(path, x, target="argmax", map_at=4, relevance_of=[relu])
    assert coarse["x_relevance"].shape == (len(x), 1, *x.shape[2:])
    sums = [coarse[name].sum((1, 2, 3)) for name in ("x_relevance", f"{relu}_relevance")]
    np.testing.assert_allclose(*sums, rtol=1e-4)


def test_a_part_and_an_input_that_is_set(mlp):
    proto, _, x = mlp
    part = abslrp.explain(proto, x, select=":,1")
    np.testing.assert_allclose(part["x_relevance"], abslrp.explain(proto, x, target=1)["x_relevance"], rtol=1e-5, atol=1e-6)
    nodes = [helper.make_node("Mul", ["x", "s"], ["y"])]
    scaled = model(nodes, {"x": (TensorProto.FLOAT, ["N", 3]), "s": (TensorProto.FLOAT, [])}, {"y": (TensorProto.FLOAT, ["N", 3])})
    found = abslrp.explain(scaled, {"x": np.ones((1, 3)), "s": 2.0}, set={"s": 2.0})
    # A constant takes no share of a product.
    np.testing.assert_array_equal(found["x_relevance"], found["y"])
    assert "s_relevance" not in found
    with pytest.raises(abslrp.OptionError, match="no such input"):
        abslrp.compile(scaled, set={"t": 1})


def test_an_onnxruntime_that_is_imported_is_no_obstacle(mlp):
    onnxruntime = pytest.importorskip("onnxruntime")
    proto, _, x = mlp
    explained = abslrp.compile(proto.SerializeToString())
    session = onnxruntime.InferenceSession(explained, providers=["CPUExecutionProvider"])
    y, relevance = session.run(None, {"x": x})
    found = abslrp.explain(explained, x)
    np.testing.assert_allclose(found["y"], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["x_relevance"], relevance, rtol=1e-4, atol=1e-6)


def test_every_type_of_numbers_goes_in_and_out():
    types = {
        "float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64,
        "int32": TensorProto.INT32, "int16": TensorProto.INT16, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8,
        "uint16": TensorProto.UINT16, "uint32": TensorProto.UINT32, "uint64": TensorProto.UINT64, "bool": TensorProto.BOOL,
    }
    # Each is scaled by x, which alone gets relevance, and comes back beside it.
    for name, dtype in types.items():
        nodes = [
            helper.make_node("Cast", ["n"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["x", "f"], ["y"]),
            helper.make_node("Identity", ["n"], ["same"]),
        ]
        inputs = {"x": (TensorProto.FLOAT, ["N", 3]), "n": (dtype, ["N", 3])}
        proto = model(nodes, inputs, {"y": (TensorProto.FLOAT, ["N", 3]), "same": (dtype, ["N", 3])})
        n = np.array([[0, 1, 3]]).astype(name)
        found = abslrp.explain(proto, {"x": np.ones((1, 3)), "n": n}, rule="gradient", init="one", output="y")
        assert found["same"].dtype == n.dtype
        np.testing.assert_array_equal(found["same"], n)
        np.testing.assert_array_equal(found["x_relevance"], n.astype(np.float32))
    nodes = [helper.make_node("Identity", ["n"], ["same"]), helper.make_node("Relu", ["x"], ["y"])]
    inputs = {"x": (TensorProto.FLOAT, ["N"]), "n": (TensorProto.STRING, ["N", 2])}
    proto = model(nodes, inputs, {"y": (TensorProto.FLOAT, ["N"]), "same": (TensorProto.STRING, ["N", 2])})
    words = np.array([["naïve", ""]], dtype=object)
    found = abslrp.explain(proto, {"x": np.ones(1), "n": words}, output="y")
    np.testing.assert_array_equal(found["same"], words)


def test_inputs_that_do_not_fit_are_refused(mlp):
    proto, _, x = mlp
    explain = abslrp.Explainer(proto)
    with pytest.raises(abslrp.DataError, match="no input 'z'; it has x"):
        explain({"z": x})
    with pytest.raises(abslrp.RunError):
        explain(x[:, :4])
    with pytest.raises(abslrp.RunError):
        explain({})
    with pytest.raises(abslrp.DataError, match="float32.*complex"):
        explain(x.astype(np.complex64))
    with pytest.raises(abslrp.OptionError, match="explains itself already"):
        abslrp.explain(abslrp.compile(proto), x, rule="gradient")
    with pytest.raises(abslrp.OptionError, match="neither cpu nor cuda"):
        abslrp.explain(proto, x, device="tpu")


def test_what_holds_is_verified_and_what_does_not_is_said(mlp, digits, tmp_path):
    path, data = digits
    report = abslrp.verify(abslrp.compile(path.read_bytes(), target="argmax"), inputs=data["in"])
    assert report["holds"] and report["outputs"][0]["identical"] and report["inputs"][0]["given"]
    # Σ |R| never grows under the default rule.
    assert report["relevance"][0]["magnitude"] <= report["start"] * 1.001
    assert "bit-identical" in str(report) and str(report).startswith("the model on ONNX Runtime")
    assert report["model"] is None
    written = abslrp.compile(path, tmp_path / "explained.onnx")
    report = abslrp.verify(written, source=path)
    assert report["holds"] and report["model"] == str(written) and str(written) in str(report)
    # A rule that divides by what cancels: x·w + x·|w| is a rounding, where x has both signs.
    w = np.array([[1.0, 1.0], [1.0, 1.0]], dtype=np.float32)
    b, v = np.ones(2, dtype=np.float32), np.eye(2, dtype=np.float32)
    with pytest.warns(abslrp.AbslrpWarning):
        explained = abslrp.compile(two_layers(w, b, v), rule="abslrp-notebook")
    report = abslrp.verify(explained, inputs=np.array([[1.1, -2.1]], dtype=np.float32))
    assert not report["holds"] and "FAIL" in str(report)
    proto, _, x = mlp
    with pytest.raises(abslrp.VerifyError, match=r"abslrp\.compile"):
        abslrp.verify(proto)
    with pytest.raises(abslrp.DataError, match="'z'"):
        abslrp.verify(abslrp.compile(proto), inputs={"z": x})


def test_rules_are_measured(digits):
    path, data = digits
    told = []
    report = abslrp.evaluate(
        path, data["in"], labels=data["label"], methods=["abslrp", {"composite": "epsilon-plus"}], steps=8, gae=False,
        patch=1, progress=lambda *numbers: told.append(numbers),
    )
    gaps = {method["method"]: method["gap"] for method in report["methods"]}
    assert set(gaps) == {"abslrp", "epsilon-plus", "gradient-x-input", "random"}
    # What finds the strokes is faithful, and chance is not.
    assert gaps["abslrp"] > gaps["random"] + 0.1
    assert report["samples"] == 10 and report["by"] == "patches" and report["accuracy"] == 1.0
    assert told[-1][0] == told[-1][1] and told == sorted(told)
    own = abslrp.evaluate(path, {"x": data["in"]}, methods={"mine": {"rule": "zplus"}}, steps=2, gae=False)
    assert "mine" in {method["method"] for method in own["methods"]} and "mine" in str(own)
    with pytest.raises(abslrp.DataError, match="samples"):
        abslrp.evaluate(path, data["in"][:0])
    with pytest.raises(abslrp.OptionError, match="by: 'words'"):
        abslrp.evaluate(path, data["in"], by="words")


def is_idle() -> bool:
    """Whether no thread of this process computes."""
    begin = time.process_time()
    time.sleep(0.5)
    return time.process_time() - begin < 0.05


def test_other_threads_run_and_work_can_be_stopped(digits):
    path, data = digits
    many = np.repeat(data["in"], 200, axis=0)
    calls, counted, stop = [], [0], threading.Event()
    total = 0

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.001)

    def progress(done, of):
        nonlocal total
        total = of
        calls.append((done, counted[0]))
        if len(calls) == 5:
            raise LookupError("enough")

    counter = threading.Thread(target=count)
    counter.start()
    try:
        with pytest.raises(LookupError):
            abslrp.evaluate(path, many, methods=["abslrp"], gae=False, batch=256, progress=progress)
    finally:
        stop.set()
        counter.join()
    assert calls[-1][1] > 10, "the counter stood still while abslrp worked"
    # Far less than it would take to the end.
    assert calls[-1][0] < 0.01 * total
    deadline = time.monotonic() + 20
    while not (idle := is_idle()) and time.monotonic() < deadline:
        pass
    assert idle, "the work went on though nobody waits for it"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_is_heeded():
    program = (
        "import abslrp, numpy as np\n"
        f"data = np.load({str(FIXTURES / 'digits.npz')!r})['in']\n"
        "told = lambda *_: print('working', flush=True)\n"
        f"model = {str(FIXTURES / 'digits.legacy17.onnx')!r}\n"
        "try:\n"
        "    abslrp.evaluate(model, np.repeat(data, 500, axis=0), gae=False, progress=told)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "working\n"
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "interrupted" in rest and process.returncode == 0
    assert time.monotonic() - begin < 20
