#!/usr/bin/env python3
"""Minimal models of what runtimes compute otherwise or refuse, for their maintainers: python runtimes/minimal.py [OUT]

Writes each model to the folder OUT (without: nowhere), runs it on the runtime and on ONNX Runtime, and says what differs. The versions are those of matrix.py; docs/runtimes.md says which forms are emitted instead.

Exit status: 1 if a runtime does not do what is said of it here, as where it was mended; 2 if something to install with
is missing."""

import argparse, importlib.util, os, pathlib, sys, tempfile

from matrix import REFERENCE, Runtime, installed, same, table, worker

HERE = pathlib.Path(__file__).resolve().parent

# By name: the runtime, whether it is "wrong" or "refused" there, why, and the model in ONNX's textual form. Inputs are
# numbers around 0; a size that is not stated is 2.
MODELS = {
    "hard_sigmoid_without_offset": (
        "openvino", "wrong", "a `beta` of 0 is taken for one that is absent, which means 0.5",
        "(float[5] x) => (float[5] y) { y = HardSigmoid <alpha = 1.0, beta = 0.0> (x) }",
    ),
    "square_weights_read_twice": (
        "openvino", "wrong", "rearranged weights are kept by address and target layout; one reader transposes, and gets the other's",
        "(float[4, 16] x) => (float[4, 16] z) <float[16, 16] w = {%s}> { y = Gemm <transB = 1> (x, w)\n z = Gemm (y, w) }"
        % ", ".join(str(i * 7 % 13 - 6) for i in range(256)),
    ),
    "abs_of_computed_list": (
        "openvino", "wrong", "the Abs of a list that is computed from constants is dropped",
        "(float[1, 4] x) => (float[1, 4] y) <float[4] b = {1, -2, 3, -4}> { n = Neg (b)\n a = Abs (n)\n y = Add (x, a) }",
    ),
    "reduce_sum_over_computed_axes": (
        "openvino", "refused", "the number of axes has to be known",
        "(float[n, m] x, float[p, m] b) => (float[k, l] y) <int64[1] list = {-1}> { s = Shape (x)\n t = Shape (b)\n e = Equal (s, t)\n"
        " d = Not (e)\n z = NonZero (d)\n a = Reshape (z, list)\n y = ReduceSum <noop_with_empty_axes = 1> (x, a) }",
    ),
    "convolution_by_computed_kernel": (
        "openvino", "refused", "the size of a kernel that is computed has to be known",
        "(float[n, 4, 8, 8] x, float[n, 8, 8, 8] s) => (float[8, 4, 3, 3] y) { a = Transpose <perm = [1, 0, 2, 3]> (x)\n"
        " b = Transpose <perm = [1, 0, 2, 3]> (s)\n c = Conv <pads = [1, 1, 1, 1]> (a, b)\n y = Transpose <perm = [1, 0, 2, 3]> (c) }",
    ),
    "gather_from_a_part": (
        "openvino", "refused", "ONNX lets indices be fewer than the data have elements along other axes",
        "(float[3, 4] x) => (float[2, 2] y) <int64[2, 2] i = {0, 1, 2, 3}> { y = GatherElements <axis = 1> (x, i) }",
    ),
    "scan_that_reads_from_around": (
        "openvino", "refused", "what a body reads from around it is taken for a state that it has to give back",
        "(float[2, 3] x, float[3] s) => (float[3] t, float[2, 3] y) { w = Mul (s, s)\n t, y = Scan <num_scan_inputs = 1, body = "
        "step (float[3] a, float[3] b) => (float[3] c, float[3] d) { c = Add (a, w)\n d = Mul (c, b) }> (s, x) }",
    ),
    "pad_by_computed_sizes": (
        "tract", "refused", "padding has to be constant",
        "(float[n, l] x, int64[4] p) => (float[m, k] y) { y = Pad (x, p) }",
    ),
    "product_of_two_expansions": (
        "tract", "refused", "its optimiser fails at the product of two constants that were expanded",
        "(float[n, 4] x) => (float[n, 9] y) <float one = {1}, int64[2] size = {9, 4}> { s = Shape (x)\n a = Expand (one, s)\n"
        " b = Expand (one, size)\n y = Gemm <transB = 1> (a, b) }",
    ),
    "inverse_transform_of_a_length": (
        "tract", "refused", "the length is taken for that of another axis",
        "(float[n, 3, 5, 2] x) => (float[n, 3, 5, 2] y) <int64 length = {5}> { y = DFT <axis = 2, inverse = 1> (x, length) }",
    ),
    "quotient_of_whole_numbers": (
        "rten", "wrong", "the quotient of two constants that are whole numbers is taken for that of integers",
        "(float[4] x) => (float[4] y) <float one = {1}, float[1] four = {4}> { q = Div (one, four)\n y = Mul (x, q) }",
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=pathlib.Path)
    parser.add_argument("--binary", default=HERE.parent / "target/release/abslrp", type=pathlib.Path)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    parser.add_argument("--cache", default=pathlib.Path(base) / "abslrp-runtimes", type=pathlib.Path)
    arguments = parser.parse_args()
    if importlib.util.find_spec("onnx") is None:
        python = installed("driver", ["onnx==1.23.2"], arguments.cache) / "bin/python"
        os.execv(python, [str(python), *sys.argv])
    runtimes = table(arguments.binary)
    workers = {}
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.out or pathlib.Path(folder)
        out.mkdir(exist_ok=True)
        said = [check(name, *MODELS[name], runtimes, workers, arguments.cache, out, folder) for name in MODELS]
    for running in workers.values():
        running.stop()
    sys.exit(not all(said))


def check(name, runtime, expected, why, text, runtimes, workers, cache, out, folder):
    """Whether a runtime does what is said of it with a model, which is written."""
    import numpy as np, onnx
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {name} {text}')
    onnx.checker.check_model(model)
    path = out / f"{name}.onnx"
    onnx.save(model, path)
    feeds = {}
    for value in model.graph.input:
        shape = [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]
        # With a 0 among them, and of whole numbers 1.
        count = np.prod(shape, dtype=int)
        integer = value.type.tensor_type.elem_type == onnx.TensorProto.INT64
        array = np.ones(count, np.int64) if integer else np.float32(np.arange(count) % 5 - 2)
        feeds[value.name] = array.reshape(shape)
    for needed in (REFERENCE, runtime):
        if needed not in workers:
            workers[needed] = Runtime(needed, worker(needed, runtimes[needed], cache))
    want, got = (workers[one].run(path, feeds, folder) for one in (REFERENCE, runtime))
    found = "refused" if isinstance(got, str) else "right" if same(got, want) else "wrong"
    print(f"{found}: {name} on {runtime} {workers[runtime].version}: {why}")
    if found == "refused":
        print(f"    {got[:200]}")
    elif found == "wrong":
        output = model.graph.output[0].name
        print(f"    {got[output].ravel()[:5]} instead of {want[output].ravel()[:5]}")
    if found != expected:
        print(f"    was {expected}")
    return found == expected


if __name__ == "__main__":
    main()
