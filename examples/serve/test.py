#!/usr/bin/env python3
"""Tries the examples of serving: python examples/serve/test.py [--ray PYTHON]

Each serves the digits network of fixtures/, and has to answer what `abslrp explain` says. Packages are installed at the
versions below into a cache folder; Ray Data runs only where there is a Python that has it, PYTHON or this one.

Exit status: 1 if something does not hold; 2 if there is nothing to install with."""

import argparse, contextlib, json, os, pathlib, subprocess, sys, tempfile, time, urllib.error, urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(ROOT / "runtimes"))
from matrix import installed  # noqa: E402

PYTHON = ["onnx==1.23.2", "onnxruntime==1.32.0", "pillow==13.0.0", "fastapi==0.165.0", "uvicorn==0.54.0", "tritonclient[grpc]==2.73.0"]
NODE = ["onnxruntime-node@1.30.0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target/release/abslrp", type=pathlib.Path)
    parser.add_argument("--ray", default=sys.executable, metavar="PYTHON")
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    parser.add_argument("--cache", default=pathlib.Path(base) / "abslrp-runtimes", type=pathlib.Path)
    arguments = parser.parse_args()
    environment = installed("serve", PYTHON, arguments.cache)
    node = installed("serve", NODE, arguments.cache, "node")
    if pathlib.Path(sys.prefix) != environment:
        # What is compared here is read with what is served with.
        python = str(environment / "bin/python")
        os.execv(python, [python, *sys.argv, "--ray", arguments.ray])
    with tempfile.TemporaryDirectory() as folder:
        Try(pathlib.Path(folder), arguments.binary.resolve()).all(node, arguments.ray)


class Try:
    def __init__(self, folder, binary):
        import numpy as np
        from PIL import Image
        self.folder, self.binary = folder, binary
        self.asked, self.argmax = folder / "asked.onnx", folder / "argmax.onnx"
        for out, target in ((self.asked, "input"), (self.argmax, "argmax")):
            command = [binary, "compile", ROOT / "fixtures/digits.dynamo20.onnx", "-o", out, "--target", target]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.x = np.float32(np.asarray(Image.open(ROOT / "fixtures/digits/3.png")) / 255)[None, None]
        self.body = {"x": self.x.tolist(), "target": [8]}
        _, self.want = self.explained(self.asked, 3, "--target", "8")

    def explained(self, model, digit, *more):
        """The class and the relevance that `abslrp explain` finds."""
        import numpy as np
        picture = ROOT / f"fixtures/digits/{digit}.png"
        command = [self.binary, "explain", model, picture, "-o", self.folder / "map.png", "--json", *more]
        said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return said["largest"]["class"], np.load(self.folder / "map.npy")

    def same(self, got, what, want=None):
        import numpy as np
        want = self.want if want is None else want
        apart = np.abs(np.asarray(got).reshape(want.shape) - want).max()
        assert apart <= 1e-5 * np.abs(want).max() > 0, f"{what}: {apart} apart"
        print(f"ok: {what}", flush=True)

    def all(self, node, ray):
        with server([sys.executable, HERE / "serve.py", self.asked, "0"]) as url:
            self.same(post(url, self.body)["x_relevance"], "serve.py")
            try:
                post(url, {"x": "no picture"})
                raise AssertionError("nonsense is answered")
            except urllib.error.HTTPError as error:
                assert error.code == 400, error
        command = [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--port", "8765", "--log-level", "error", "serve:app"]
        with server(command, "http://127.0.0.1:8765/", env={**os.environ, "MODEL": str(self.asked)}) as url:
            self.same(patiently(lambda: post(url, self.body))["x_relevance"], "serve.py with FastAPI")
        with server(["node", HERE / "serve.mjs", self.asked, "0"], cwd=node) as url:
            answer = post(url, self.body)["x_relevance"]
            assert answer["shape"] == list(self.want.shape), answer["shape"]
            self.same(answer["data"], "serve.mjs")
        self.rust()
        self.triton()
        self.ray(ray)

    def rust(self):
        import numpy as np
        np.save(self.folder / "x.npy", self.x)
        command = ["cargo", "run", "-q", "--release", "--locked", "--example", "serve", "--", self.argmax]
        said = subprocess.run(command, cwd=ROOT, input=f"{self.folder}/x.npy\n", check=True, capture_output=True, text=True).stdout
        seen, want = self.explained(self.argmax, 3)
        assert f"class Some({seen})" in said, said
        self.same([float(said.rsplit("=", 1)[1])], "serve.rs", want.sum(keepdims=True).reshape(1))

    def triton(self):
        """Its configuration says of the model what the model says of itself."""
        import onnx
        from google.protobuf import text_format
        from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
        config = text_format.Parse((HERE / "triton/digits/config.pbtxt").read_text(), ModelConfig())
        graph = onnx.load(self.asked).graph
        for declared, values in ((config.input, graph.input), (config.output, graph.output)):
            assert [d.name for d in declared] == [v.name for v in values]
            for d, v in zip(declared, values):
                tensor = v.type.tensor_type
                dims = list(d.reshape.shape if d.HasField("reshape") else d.dims)
                # Behind the batch, whose size is open.
                assert dims == [dim.dim_value for dim in tensor.shape.dim[1:]], d
                assert not tensor.shape.dim[0].HasField("dim_value") and config.max_batch_size > 1
                kind = {onnx.TensorProto.FLOAT: "TYPE_FP32", onnx.TensorProto.INT64: "TYPE_INT64"}[tensor.elem_type]
                assert DataType.Name(d.data_type) == kind, d
        print("ok: the configuration for Triton", flush=True)

    def ray(self, python):
        out = self.folder / "explained"
        needs = "import onnxruntime, PIL, pyarrow, ray.data"
        if subprocess.run([python, "-c", needs], capture_output=True).returncode:
            print(f"skipped: Ray Data, of which {python} has not all that it needs")
            return
        command = [python, HERE / "ray_data.py", self.argmax, ROOT / "fixtures/digits", out, "--mode", "L", "--workers", "2", "--batch", "3"]
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, env=environment, timeout=300)
        read = "import json, pyarrow.parquet, sys; print(json.dumps(pyarrow.parquet.read_table(sys.argv[1]).to_pylist()))"
        rows = json.loads(subprocess.run([python, "-c", read, out], check=True, capture_output=True).stdout)
        assert len(rows) == 10, rows
        for row in rows:
            digit = pathlib.Path(row["path"]).stem
            seen, want = self.explained(self.argmax, digit)
            assert row["class"] == seen, row
            self.same(row["relevance"], f"ray_data.py: {digit}.png", want)


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@contextlib.contextmanager
def server(command, address=None, **more):
    """A server; `address` is where it will be, if it does not say so."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    try:
        yield address or process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def patiently(ask):
    """What is asked of a server, once it answers."""
    for _ in range(300):
        try:
            return ask()
        except (ConnectionError, urllib.error.URLError):
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


if __name__ == "__main__":
    main()
