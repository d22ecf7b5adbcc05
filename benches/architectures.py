"""Whether maps hold on any network: the default rule on the smallest network of each family of timm, and on those of torchvision,
with random weights.

    cargo build --release
    python benches/architectures.py target/release/abslrp [PATTERN …] [--largest MILLIONS] [--rule RULE]

Needs torch, torchvision, timm, onnx and onnxruntime; where openvino can be imported, maps are compared with its, too. Each
network is exported at its own image size and explained for its largest class. A line has: the sum of the magnitudes of the
map over what it started from, which no bounded rule lets grow over 1; and how far (relative L1) the map lies from the one that
means the same, at -O0 without ONNX Runtime's optimisations, and from OpenVINO's. The last lines count what fails.
"""

import argparse
import fnmatch
import pathlib
import subprocess
import tempfile
import warnings

import numpy as np
import onnxruntime
import timm
import torch
import torchvision

try:
    import openvino
except ImportError:
    openvino = None

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)


def family(name):
    return name.split("_")[0].rstrip("0123456789dst")


def networks(patterns, largest):
    """A name, and what makes the network of it: those of torchvision, and the smallest of each family of timm."""
    vision = [(f"torchvision {n}", n) for n in torchvision.models.list_models(module=torchvision.models)]
    families = {}
    for name in timm.list_models():
        families.setdefault(family(name), []).append(name)
    for title, name in vision + [(f"timm {f}", names) for f, names in sorted(families.items())]:
        make = timm.create_model if title.startswith("timm") else torchvision.models.get_model
        # Networks on the device "meta" have sizes and no numbers.
        with torch.device("meta"):
            sizes = {}
            for n in sorted([name] if isinstance(name, str) else name, key=len)[:6]:
                try:
                    sizes[n] = sum(p.numel() for p in make(n).parameters())
                except Exception:  # some need other packages
                    continue
        if not sizes or min(sizes.values()) > largest * 1e6:
            continue
        name = min(sizes, key=sizes.get)
        title = f"{title.split()[0]} {name}"
        if not patterns or any(fnmatch.fnmatch(title, f"*{p}*") for p in patterns):
            yield title, lambda: make(name)


def export(network, size, path):
    torch.manual_seed(0)
    network = network.eval()
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        # Normalisations get the statistics of what goes through, as they have after training.
        network.train()(torch.randn(4, 3, size, size))
        network.eval()
    torch.onnx.export(network, (x[:1],), path, opset_version=17, dynamo=False, input_names=["x"], output_names=["y"])
    return x[:1].numpy()


def explained(binary, model, rule, level):
    out = model.with_suffix(f".{level[1:]}.onnx")
    command = [binary, "compile", model, "-o", out, "--target", "argmax", "--rule", rule, level]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1][-300:])
    return out


def run(model, x, optimised):
    how = onnxruntime.SessionOptions()
    if not optimised:
        how.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), how, providers=["CPUExecutionProvider"])
    scores, relevance = session.run(["y", "x_relevance"], {"x": x})
    return scores, relevance.astype(np.float64)


def apart(a, b):
    return np.abs(a - b).sum() / max(np.abs(a).sum(), 1e-300)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--largest", type=float, default=40, help="networks of more parameters are left out (millions)")
    parser.add_argument("--rule", default="abslrp")
    args = parser.parse_args()
    counts = {"explained": 0, "not exported": 0, "refused": 0, "without scores": 0, "sum over 1": 0, "-O0 over 1 %": 0, "OpenVINO over 1 %": 0}
    print("| network | sum | -O0 | OpenVINO |\n|---|---|---|---|", flush=True)
    for title, make in networks(args.patterns, args.largest):
        with tempfile.TemporaryDirectory() as directory:
            model = pathlib.Path(directory) / "model.onnx"
            try:
                network = make()
                size = getattr(network, "pretrained_cfg", {}).get("input_size", (3, 299 if "inception" in title else 224))[-1]
                x = export(network, size, model)
            except Exception as error:
                counts["not exported"] += 1
                print(f"| {title} | not exported: {str(error).splitlines()[0][:100] if str(error) else error!r} |", flush=True)
                continue
            try:
                fast, literal = (explained(args.binary, model, args.rule, level) for level in ("-O2", "-O0"))
                scores, relevance = run(fast, x, True)
                start = np.abs(scores.max(1)).sum()
                if not start > 0:
                    counts["without scores"] += 1
                    print(f"| {title} | its last weights are 0, so that nothing starts |", flush=True)
                    continue
                share = np.abs(relevance).sum() / start
                between = apart(relevance, run(literal, x, False)[1])
            except RuntimeError as error:
                counts["refused"] += 1
                print(f"| {title} | refused: {error} |", flush=True)
                continue
            counts["explained"] += 1
            counts["sum over 1"] += not share <= 1 + 1e-4
            counts["-O0 over 1 %"] += not between <= 0.01
            second = "–"
            if openvino:
                core = openvino.Core()
                precise = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
                try:
                    other = core.compile_model(core.read_model(fast), "CPU", precise)({"x": x})["x_relevance"]
                    distance = apart(relevance, other.astype(np.float64))
                    counts["OpenVINO over 1 %"] += not distance <= 0.01
                    second = f"{distance:.0e}"
                except Exception as error:
                    second = f"refused: {str(error).splitlines()[-1][:100]}"
            print(f"| {title} | {share:.2g} | {between:.0e} | {second} |", flush=True)
    print("\n" + ", ".join(f"{count} {what}" for what, count in counts.items()))


if __name__ == "__main__":
    main()
