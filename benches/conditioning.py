"""How well-conditioned rules are on networks with signed activations: the table in docs/rules.md.

    cargo build --release && python3 benches/conditioning.py target/release/abslrp

Needs numpy and onnxruntime. For each network of fixtures/networks and each rule: the sum of the magnitudes of a map over that
of what it started from, and how far two maps that mean the same lie apart (relative L1): that at -O0 without ONNX Runtime's
optimisations, and that at -O2 with them.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

NETWORKS = pathlib.Path(__file__).parent.parent / "fixtures/networks"
RULES = ("abslrp", "abslrp-notebook", "epsilon", "gamma", "zplus")


def relevance(binary, model, rule, level, x):
    with tempfile.TemporaryDirectory() as directory:
        explained = f"{directory}/explained.onnx"
        command = [binary, "compile", str(model), "-o", explained, "--target", "argmax", "--rule", rule, level]
        subprocess.run(command, check=True, capture_output=True)
        how = onnxruntime.SessionOptions()
        if level == "-O0":
            how.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        scores, relevance = onnxruntime.InferenceSession(explained, how).run(None, {"x": x})[:2]
        return np.abs(scores.max(1)).sum(), relevance.astype(np.float64)


def main():
    onnxruntime.set_default_logger_severity(4)
    print("| network |", " | ".join(f"`{rule}`" for rule in RULES), "|")
    for golden in sorted(NETWORKS.glob("*.npz")):
        model, x = golden.with_suffix(".legacy17.onnx"), np.load(golden)["in"]
        cells = []
        for rule in RULES:
            (start, literal), (_, fast) = (relevance(sys.argv[1], model, rule, level, x) for level in ("-O0", "-O2"))
            size = np.abs(fast).sum()
            cells.append(f"{size / start:.2g}, {np.abs(literal - fast).sum() / size:.0e}")
        print(f"| {golden.stem} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
