"""What can go wrong, by kind. Files that are not there or not to be read are `OSError`, as everywhere in Python."""

from __future__ import annotations

__all__ = [
    "AbslrpError",
    "AbslrpWarning",
    "DataError",
    "InternalError",
    "ModelError",
    "OptionError",
    "RunError",
    "RuntimeNotFoundError",
    "UnsupportedError",
    "VerifyError",
]


class AbslrpError(Exception):
    """The base of all others. Its text says what is wrong, where, and the way out."""


class ModelError(AbslrpError):
    """The model is no ONNX model, is damaged, or its graph is not valid."""


class OptionError(AbslrpError, ValueError):
    """An option has no meaning, or none for this model: a rule, a target or a tensor that does not exist."""


class UnsupportedError(AbslrpError):
    """Relevance cannot cross a node."""

    node: str | None = None
    """The node's name."""
    operator: str | None = None
    """Its operator, with the domain unless it is `ai.onnx`."""
    opset: int | None = None
    """The imported version of the operator set."""


class RuntimeNotFoundError(AbslrpError):
    """There is no ONNX Runtime, or none that can be loaded or trusted."""


class RunError(AbslrpError):
    """ONNX Runtime refuses the model, the device or the inputs."""


class DataError(AbslrpError, ValueError):
    """Arrays do not fit the model: names, shapes, types, numbers that are not finite."""


class VerifyError(AbslrpError):
    """The model cannot be verified: it is not explained, or its source is not known."""


class InternalError(AbslrpError):
    """A fault of abslrp. Please report it with the model."""


class AbslrpWarning(UserWarning):
    """A model was explained, and there is something to know about that: relevance was cut, or a rule is ill-conditioned."""
