"""Where ONNX Runtime's library is."""

from __future__ import annotations

import importlib.util
import os
import pathlib

# What the library is called on Linux, macOS and Windows.
NAMES = ("libonnxruntime.so*", "libonnxruntime.*.dylib", "onnxruntime.dll")


def library() -> str | None:
    """The library in the installed package `onnxruntime`, which is not imported; `None` where `ORT_DYLIB_PATH` names one,
    or where there is no such package: then abslrp looks for it elsewhere."""
    if os.environ.get("ORT_DYLIB_PATH"):
        return None
    package = importlib.util.find_spec("onnxruntime")
    for folder in (package.submodule_search_locations or []) if package else []:
        capi = pathlib.Path(folder, "capi")
        found = sorted(path for name in NAMES for path in capi.glob(name))
        if found:
            return str(found[-1])
    return None
