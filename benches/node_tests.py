"""Which of ONNX's own node tests compile, and whether their gradients are right.

    cargo build --release && python3 benches/node_tests.py target/release/abslrp [NAME …]

Needs onnx, numpy and onnxruntime. Each model of `onnx.backend.test.case.node` whose first output is a float tensor that
depends on a float tensor is compiled with `--rule gradient`; where an operand cannot be an activation, all but the first
are made constants. Its map is compared with central differences on ONNX Runtime. Names are parts of the names of tests.
Exit status 0 where no gradient is wrong and at least 95 of 100 models compile.
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

WANTED = 0.95
FLOATS = {TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16}
# A difference of a result that has few digits is as coarse.
STEPS = {np.float32: (1e-2, 2e-3, 5e-2), np.float64: (1e-4, 1e-6, 1e-2), np.float16: (0.1, 0.3, 0.03)}
TOLERANCE = {np.float32: 0.02, np.float64: 1e-3, np.float16: 0.15}
# Inputs of more elements are moved in as many directions at random.
ELEMENTS = 150
# The oldest operator set that the compiler reads.
OLDEST = 9


def elem(value):
    return value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else None


def is_empty(array):
    return 0 in (array.dims if isinstance(array, TensorProto) else np.shape(array))


def run(session, output, feeds):
    return session.run([output], {name: np.asarray(array) for name, array in feeds.items()})[0]


def session(model):
    how = onnxruntime.SessionOptions()
    how.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    how.intra_op_num_threads = 1
    content = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, how, providers=["CPUExecutionProvider"])


def frozen(model, feeds, active):
    """The model with all inputs but the active ones as constants."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for value in list(model.graph.input):
        if value.name in feeds and value.name not in active:
            model.graph.input.remove(value)
            model.graph.initializer.append(numpy_helper.from_array(feeds[value.name], value.name))
    return model


def compiled(binary, model, directory):
    """The path of the explained model, or why there is none."""
    source, explained = f"{directory}/source.onnx", f"{directory}/explained.onnx"
    onnx.save(model, source)
    command = [binary, "compile", source, "-o", explained, "--rule", "gradient", "--output", model.graph.output[0].name, "--after-softmax"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return (explained, None) if done.returncode == 0 else (None, " ".join(done.stderr.split()))


def distance(model, explained, feeds):
    """How far maps are from differences, relative to their size: the largest of all inputs. None if no number is finite."""
    source, explained = session(model), session(explained)
    output = source.get_outputs()[0].name
    maps = [o.name for o in explained.get_outputs() if o.name.endswith("_relevance")]
    found, rng = [], np.random.default_rng(0)
    for shown in maps:
        name = shown.removesuffix("_relevance")
        x = feeds.get(name)
        if x is None or x.dtype.type not in STEPS:
            continue
        best = np.inf
        # A kink, as of a maximum between equal elements, is elsewhere once they are moved a little.
        for shift in (0.0, 0.03, 0.1):
            moved = x.astype(np.float64) + shift * rng.uniform(0.3, 1, x.shape) * rng.choice([-1, 1], x.shape)
            at = {**feeds, name: moved.astype(x.dtype)}
            y = run(source, output, at).astype(np.float64)
            r = run(explained, shown, at).astype(np.float64)
            if not np.isfinite(y).all() or not np.isfinite(r).all():
                continue
            for step in STEPS[x.dtype.type]:
                best = min(best, apart(source, output, at, name, y, r, step, rng))
            if best < TOLERANCE[x.dtype.type]:
                break
        found.append(best)
    found = [best for best in found if np.isfinite(best)]
    return max(found, default=None)


def apart(source, output, feeds, name, y, r, step, rng):
    x = feeds[name]
    directions = np.eye(x.size) if x.size <= ELEMENTS else rng.choice([-1.0, 1.0], (ELEMENTS // 4, x.size))
    have, want = [], []
    for direction in directions:
        ends = []
        for sign in (1, -1):
            moved = (x.astype(np.float64) + sign * step * direction.reshape(x.shape)).astype(x.dtype)
            ends.append((moved.astype(np.float64), run(source, output, {**feeds, name: moved}).astype(np.float64)))
        (ahead, above), (behind, below) = ends
        # Of a size that follows from data there is no difference where it changes.
        if not above.shape == y.shape == below.shape:
            continue
        have.append(((ahead - behind) * r).sum())
        want.append(((above - below) * y).sum())
    have, want = np.array(have) / (2 * step), np.array(want) / (2 * step)
    scale = max(np.abs(want).sum(), np.abs(have).sum())
    # What is nothing but rounding.
    rounding = len(have) * np.abs(y).sum() * np.finfo(x.dtype).eps * max(1, np.abs(y).max(initial=0)) / step
    return np.abs(have - want).sum() / scale if scale > rounding else 0.0


def moves(model, feeds, name):
    """Whether the first output changes with an input, but for jumps."""
    source, x = session(model), feeds[name].astype(np.float64)
    output = source.get_outputs()[0].name
    rng = np.random.default_rng(0)
    at = x + 0.05 * rng.normal(size=x.shape)
    ends = [at, at + 1e-3 * rng.normal(size=x.shape)]
    before, after = (run(source, output, {**feeds, name: end.astype(feeds[name].dtype)}) for end in ends)
    return before.shape == after.shape and not np.array_equal(before, after, equal_nan=True)


def tried(binary, case, directory):
    """What became of a test, and why."""
    model = case.model
    output = elem(model.graph.output[0])
    inputs = [value for value in model.graph.input if elem(value) in FLOATS]
    foreign = any(opset.domain not in ("", "ai.onnx") or opset.version < OLDEST for opset in model.opset_import)
    if output not in FLOATS or not inputs or foreign or is_empty(case.data_sets[0][1][0]):
        return "out of scope", None
    feeds = {}
    for value, array in zip(model.graph.input, case.data_sets[0][0], strict=True):
        if isinstance(array, list) or elem(value) in (None, TensorProto.STRING):
            return "out of scope", None
        is_proto = isinstance(array, TensorProto)
        feeds[value.name] = numpy_helper.to_array(array) if is_proto else np.asarray(array)
    first = inputs[0].name
    if feeds[first].size == 0 or not np.isfinite(feeds[first].astype(np.float64)).all():
        return "out of scope", None
    floats = [value.name for value in inputs]
    try:
        moving = moves(model, feeds, first)
    except Exception:  # ONNX Runtime has no kernel for it.
        return "not run by ONNX Runtime", None
    why = None
    for active in (floats, [first]):
        if active is not floats and len(floats) == 1:
            break
        model = frozen(case.model, feeds, active)
        explained, refusal = compiled(binary, model, directory)
        why = why or refusal
        if explained:
            error = distance(model, explained, {name: feeds[name] for name in active})
            limit = TOLERANCE[feeds[first].dtype.type]
            if error is None:
                return "nothing finite", None
            return ("right", None) if error < limit else ("wrong", f"{error:.2g}")
        why = refusal
    if not moving and "no relevance" in why:
        return "nothing flows", None
    return "refused", why


def main():
    binary, names = sys.argv[1], sys.argv[2:]
    onnxruntime.set_default_logger_severity(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case import node
        cases = node.collect_testcases(None)
    cases = [case for case in cases if case.kind == "node" and (not names or any(name in case.name for name in names))]
    verdicts, reasons = collections.Counter(), collections.defaultdict(list)
    for case in cases:
        with tempfile.TemporaryDirectory() as directory:
            try:
                verdict, why = tried(binary, case, directory)
            except Exception as error:
                verdict, why = "wrong", f"{type(error).__name__}: {str(error)[:200]}"
        verdicts[verdict] += 1
        if why:
            reasons[verdict].append((case.name, why))
    for verdict in ("refused", "wrong"):
        for name, why in reasons[verdict]:
            print(f"{verdict}  {name}: {re.sub(r'^.*?error: ', '', why)[:300]}")
    for verdict, count in verdicts.most_common():
        print(f"{count:5} {verdict}")
    tried_models = sum(verdicts[verdict] for verdict in ("right", "wrong", "refused"))
    share = 1 - verdicts["refused"] / max(tried_models, 1)
    print(f"{100 * share:.1f} % of {tried_models} compile")
    return int(verdicts["wrong"] > 0 or share < WANTED)


if __name__ == "__main__":
    sys.exit(main())
