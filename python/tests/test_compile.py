"""Models in, models out."""

from __future__ import annotations

import pathlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import abslrp
from conftest import model


def test_the_package_is_the_installed_one():
    assert "site-packages" in abslrp.__file__ and "site-packages" in abslrp._abslrp.__file__


def test_what_is_given_comes_back(digits, tmp_path):
    path, _ = digits
    source = path.read_bytes()
    explained = abslrp.compile(source, rule="zplus", target="argmax")
    assert isinstance(explained, bytes)
    proto = abslrp.compile(onnx.load(path), rule="zplus", target="argmax")
    assert isinstance(proto, onnx.ModelProto)
    # That of the other package reads the same fields, though it need not write the same bytes.
    assert proto == onnx.load_model_from_string(explained)
    onnx.checker.check_model(proto, full_check=True)
    assert [output.name for output in proto.graph.output] == ["logits", "x_relevance"]
    copy = tmp_path / "digits.onnx"
    copy.write_bytes(source)
    written = abslrp.compile(copy, rule="zplus", target="argmax")
    assert written == tmp_path / "digits.explained.onnx"
    assert abslrp.compile(str(copy), tmp_path / "other.onnx", rule="zplus", target="argmax").read_bytes() == written.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.explained.onnx", "digits.onnx", "other.onnx"]


def test_a_map_is_that_of_the_notebook(digits):
    path, expected = digits
    for target, key in [("all", "rel.all"), ("argmax", "rel.argmax"), (1, "rel.class1"), (np.int64(1), "rel.class1")]:
        found = abslrp.explain(path, expected["in"], rule="abslrp-notebook", target=target)
        np.testing.assert_allclose(found["logits"], expected["out"], rtol=1e-4, atol=1e-4)
        wanted = expected[key]
        assert found["x_relevance"].shape == wanted.shape
        assert np.abs(found["x_relevance"] - wanted).sum() < 1e-3 * np.abs(wanted).sum(), target


def test_the_gradient_is_that_of_the_formula(mlp):
    proto, (w, b, v), x = mlp
    # d/dx Σ y², which is what `init="value"` starts from: y once more.
    h = x @ w + b
    y = np.maximum(h, 0) @ v
    gradient = ((y @ v.T) * (h > 0)) @ w.T
    found = abslrp.explain(proto, x, rule="gradient")
    np.testing.assert_allclose(found["x_relevance"], gradient, rtol=1e-4, atol=1e-4)
    # Several classes have a map each, side by side.
    found = abslrp.explain(proto, {"x": x}, rule="gradient", target=[2, 0], init="one")
    two = np.stack([((h > 0) * v[:, c]) @ w.T for c in (2, 0)], axis=1)
    np.testing.assert_allclose(found["x_relevance"].reshape(two.shape), two, rtol=1e-4, atol=1e-4)
    # And any other runtime computes it.
    outputs = ReferenceEvaluator(abslrp.compile(proto, rule="gradient", level=0)).run(None, {"x": x})
    np.testing.assert_allclose(outputs[1], gradient, rtol=1e-4, atol=1e-4)


def test_a_composite_is_a_preset_or_a_mapping(digits):
    path, expected = digits
    preset = abslrp.explain(path, expected["in"], composite="epsilon-plus:epsilon=1e-6")
    own = {"match": [{"operators": ["Conv", "ConvTranspose"], "kind": "weighted", "rule": "zplus"}], "rest": "epsilon:epsilon=1e-6"}
    found = abslrp.explain(path, expected["in"], composite=own)
    np.testing.assert_array_equal(found["x_relevance"], preset["x_relevance"])
    plus = abslrp.explain(path, expected["in"], rule="zplus")
    assert np.abs(found["x_relevance"] - plus["x_relevance"]).max() > 1e-3


def test_errors_say_what_is_wrong_by_kind(digits, tmp_path):
    path, _ = digits
    with pytest.raises(FileNotFoundError, match="nowhere.onnx"):
        abslrp.compile("nowhere.onnx")
    with pytest.raises(abslrp.ModelError, match="not an ONNX model"):
        abslrp.compile(b"\xffno model")
    with pytest.raises(abslrp.ModelError, match="already"):
        abslrp.compile(abslrp.compile(path.read_bytes()))
    for options, text in [
        ({"rule": "nonsense"}, "nonsense"),
        ({"composite": "nonsense"}, "nonsense"),
        ({"composite": {"match": [{"colour": "red"}]}}, "composite.*colour"),
        ({"target": "nonsense"}, "target.*nonsense"),
        ({"target": 10}, "class 10.*target='argmax'"),
        ({"init": "nonsense"}, "init.*nonsense.*value"),
        ({"level": 1}, "level.*O1.*O0"),
        ({"output": "nowhere"}, "nowhere.*output="),
        ({"passes": "nonsense"}, "nonsense"),
    ]:
        with pytest.raises(abslrp.OptionError, match=text) as error:
            abslrp.compile(path.read_bytes(), **options)
        assert isinstance(error.value, ValueError) and isinstance(error.value, abslrp.AbslrpError)
    with pytest.raises(TypeError, match="no option colour"):
        abslrp.compile(path.read_bytes(), colour="red")
    with pytest.raises(TypeError, match="not int"):
        abslrp.compile(5)
    # Nothing is written over what is read, and nothing is left behind.
    copy = tmp_path / "digits.onnx"
    copy.write_bytes(path.read_bytes())
    with pytest.raises((abslrp.ModelError, OSError), match="digits.onnx"):
        abslrp.compile(copy, copy)
    assert copy.read_bytes() == path.read_bytes() and [p.name for p in tmp_path.iterdir()] == ["digits.onnx"]


def test_an_unsupported_node_is_named_or_cut():
    # Of so many rows, it would take too many products.
    node = helper.make_node("Det", ["x"], ["d"], name="determinant")
    # There is another way to the input, so that not all relevance is lost with it.
    others = [
        helper.make_node("ReduceMax", ["x"], ["m"], axes=[1, 2], keepdims=0, name="maximum"),
        helper.make_node("Add", ["d", "m"], ["y"], name="sum"),
    ]
    shape = (TensorProto.FLOAT, ["N"])
    proto = model([node, *others], {"x": (TensorProto.FLOAT, ["N", 5, 5])}, {"y": shape})
    proto.graph.value_info.append(helper.make_tensor_value_info("d", *shape))
    with pytest.raises(abslrp.UnsupportedError, match="on_unsupported='stop'") as error:
        abslrp.compile(proto)
    assert (error.value.node, error.value.operator, error.value.opset) == ("determinant", "Det", 17)
    plan = abslrp.inspect(proto)
    assert plan["cost"] is None and "determinant" in plan["refusal"]
    with pytest.warns(abslrp.AbslrpWarning, match="cut.*determinant"):
        abslrp.compile(proto, on_unsupported="stop")


def test_a_rule_that_is_ill_conditioned_warns(mlp):
    proto, _, _ = mlp
    with pytest.warns(abslrp.AbslrpWarning, match="ill-conditioned at 'first'") as told:
        abslrp.compile(proto, rule="abslrp-notebook")
    assert told[0].filename == __file__


def test_progress_is_told_and_may_stop_the_work(digits, tmp_path):
    path, _ = digits
    told = []
    abslrp.compile(path, tmp_path / "a.onnx", progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (len((tmp_path / "a.onnx").read_bytes()),) * 2 and told == sorted(told)

    def stop(done, total):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        abslrp.compile(path, tmp_path / "b.onnx", progress=stop)
    assert not (tmp_path / "b.onnx").exists()


def test_the_plan_is_data_and_text(digits):
    path, _ = digits
    plan = abslrp.inspect(path, rule="zplus")
    assert plan["explained"] == "logits" and plan["refusal"] is None and plan["cost"]["added_nodes"] > 0
    assert {unit["rule"] for unit in plan["units"] if unit["kind"] == "weighted"} == {"zplus"}
    assert plan["units"][0]["node"] in str(plan)


def test_rules_are_listed_with_formulas():
    listed = {rule["name"]: rule for rule in abslrp.rules()}
    assert listed["gamma"]["kind"] == "rule" and listed["epsilon-plus"]["kind"] == "composite"
    options = {option["name"]: option["default"] for option in listed["gamma"]["options"]}
    assert options["gamma"] == 0.25
    # Every name means something, and rules that need no option stand alone.
    proto = pathlib.Path(__file__).resolve().parents[2] / "fixtures/digits.legacy17.onnx"
    for rule in listed.values():
        if rule["kind"] == "rule" and all(option["default"] is not None for option in rule["options"]):
            assert abslrp.inspect(proto, rule=rule["name"])["options"]["rule"] == rule["name"]


def test_everything_public_is_documented():
    for name in abslrp.__all__:
        assert (getattr(abslrp, name).__doc__ or "").strip(), name
