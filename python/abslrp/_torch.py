"""PyTorch modules as ONNX models."""

from __future__ import annotations

import inspect
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Union

if TYPE_CHECKING:
    import os

    import torch

    Example = Union[torch.Tensor, Sequence[torch.Tensor], Mapping[str, torch.Tensor]]


def from_torch(
    module: torch.nn.Module,
    example: Example,
    out: str | os.PathLike[str] | None = None,
    *,
    exporter: Literal["dynamo", "torchscript"] = "dynamo",
    opset: int = 18,
    output_names: Sequence[str] | None = None,
) -> bytes | pathlib.Path:
    """Exports a PyTorch module, in evaluation mode and for any number of samples, for `compile` and the others.

    Args:
        module: The module. Its mode is what it was when this returns.
        example: What it is called with: a tensor, several in order, or tensors by the names of arguments, each with samples
            along axis 0.
        out: The file to write, as large models need it. By default the model comes as bytes.
        exporter: The exporter of `torch.onnx`: `"dynamo"`, which needs the package onnxscript, or `"torchscript"`, the
            older one.
        opset: The version of the operator set `ai.onnx`.
        output_names: Names of the outputs; by default the exporter's.

    Returns:
        The model, not yet explained: its bytes, or the path of the file. Its inputs are called what the arguments of
        `forward` are.

    Raises:
        ImportError: There is no torch, or the exporter lacks a package.
        Exception: What the exporter says of a module that it cannot export.
    """
    import torch

    if exporter not in ("dynamo", "torchscript"):
        raise ValueError(f"the exporter '{exporter}' is neither dynamo nor torchscript")
    parameters = list(inspect.signature(module.forward).parameters)
    if isinstance(example, Mapping):
        # In the order of the arguments, which is that of the inputs.
        named = {name: example[name] for name in [*parameters, *example] if name in example}
    else:
        tensors = (example,) if isinstance(example, torch.Tensor) else tuple(example)
        named = dict(zip(parameters, tensors))
        if len(named) < len(tensors):
            raise TypeError(f"forward takes {len(named)} arguments, and there are {len(tensors)} examples")
    # Exporters take a size of 1 for one that never changes.
    named = {name: x if x.shape[0] > 1 else torch.cat([x, x]) for name, x in named.items()}
    options: dict[str, Any] = {
        "input_names": list(named),
        "output_names": output_names,
        "opset_version": opset,
        "dynamo": exporter == "dynamo",
    }
    if isinstance(example, Mapping):
        arguments: tuple[torch.Tensor, ...] = ()
        options["kwargs"] = named
    else:
        arguments = tuple(named.values())
    training = module.training
    module.eval()
    try:
        if exporter == "torchscript":
            options["dynamic_axes"] = {name: {0: "batch"} for name in [*named, *(output_names or [])]}
            file: Any = io.BytesIO() if out is None else str(out)
            torch.onnx.export(module, arguments, file, **options)
            return bytes(file.getvalue()) if out is None else pathlib.Path(file)
        samples = torch.export.Dim("batch")
        options["dynamic_shapes"] = {name: {0: samples} for name in named}
        program = torch.onnx.export(module, arguments, verbose=False, **options)
        if out is None:
            return bytes(program.model_proto.SerializeToString())
        program.save(str(out), external_data=True)
        return pathlib.Path(out)
    finally:
        module.train(training)
