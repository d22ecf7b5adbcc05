#!/usr/bin/env python3
"""Tries `abslrp verify --runtime` on OpenVINO and onnxruntime-web as they are: python runtimes/verify.py

They are installed as matrix.py installs them. Exit status: 1 if something does not hold; 2 if there is nothing to install
with."""

import argparse, importlib.util, json, os, pathlib, subprocess, sys, tempfile

from matrix import FIXTURES, HERE, installed, table, worker


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE.parent / "target/release/abslrp", type=pathlib.Path)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    parser.add_argument("--cache", default=pathlib.Path(base) / "abslrp-runtimes", type=pathlib.Path)
    arguments = parser.parse_args()
    if importlib.util.find_spec("onnx") is None:
        python = installed("driver", ["onnx==1.23.2"], arguments.cache) / "bin/python"
        os.execv(python, [str(python), *sys.argv])
    runtimes, binary = table(arguments.binary), arguments.binary.resolve()
    python, node = (worker(name, runtimes[name], arguments.cache) for name in ("openvino", "onnxruntime-web"))
    path = f"{pathlib.Path(python[0]).parent}{os.pathsep}{os.environ['PATH']}"
    cases = [("openvino", "openvino", []), ("web", "onnxruntime-web", ["--ort-web", node[2]])]
    with tempfile.TemporaryDirectory() as folder:
        for fixture in ("digits.dynamo20.onnx", "attention/bert.dynamo20.onnx", "forms/scatter_elements.op16.onnx", "external"):
            explained = pathlib.Path(folder) / "explained.onnx"
            source = external(pathlib.Path(folder)) if fixture == "external" else FIXTURES / fixture
            subprocess.run([binary, "compile", source, "-o", explained], check=True, stdout=subprocess.DEVNULL)
            for runtime, name, more in cases:
                command = [binary, "verify", explained, "--runtime", runtime, "--json", *more]
                done = subprocess.run(command, capture_output=True, env={**os.environ, "PATH": path}, check=False)
                assert done.stdout, done.stderr.decode()
                found = json.loads(done.stdout)["elsewhere"]
                assert found["runtime"].endswith(runtimes[name]["version"]), found
                # OpenVINO refuses the explanation of ScatterElements, as its table says.
                refused = runtime == "openvino" and "scatter" in fixture
                assert bool(found["refusal"]) == refused and found["holds"] != refused, (fixture, found)
                assert (done.returncode == 0) != refused, done.stdout.decode()
                apart = max((r["runtimes"] for r in found["relevance"]), default="refused")
                print(f"ok: {fixture} on {found['runtime']}: {apart}")


def external(folder):
    """The digits network with its weights in a file of their own."""
    import onnx
    model = onnx.load(FIXTURES / "digits.dynamo20.onnx")
    path = folder / "external.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=1000)
    return path


if __name__ == "__main__":
    main()
