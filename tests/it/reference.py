"""Runs models on ONNX's reference evaluator: reference.py FOLDER, with NAME.onnx and NAME.x.npy each.

Writes NAME.r.npy, the output x_relevance.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
    onnx.checker.check_model(str(path), full_check=True)
    x = np.load(path.with_suffix(".x.npy"))
    (r,) = ReferenceEvaluator(str(path)).run(["x_relevance"], {"x": x})
    np.save(path.with_suffix(".r.npy"), r)
