"""The extension. What it does is documented where the package calls it."""

import os
from collections.abc import Callable
from typing import Any, final

import numpy as np
import numpy.typing as npt

__all__ = ["Session", "abandon", "command_line", "compile", "evaluate", "inspect", "rules", "verify"]

_Model = bytes | str | os.PathLike[str]
_Path = str | os.PathLike[str]
_Progress = Callable[[int, int], object] | None

def compile(model: _Model, out: _Path | None, options: str, progress: _Progress) -> tuple[bytes | None, str]: ...
def inspect(model: _Model, options: str) -> tuple[str, str, str | None]: ...
def verify(
    model: _Path, source: _Path | None, inputs: list[tuple[str, _Path]], device: str, library: _Path | None
) -> tuple[str, str]: ...
def evaluate(
    model: _Model,
    inputs: list[tuple[str | None, npt.NDArray[np.float64]]],
    labels: list[int] | None,
    masks: npt.NDArray[np.float64] | None,
    measure: str,
    library: _Path | None,
    progress: _Progress,
) -> str: ...
def rules() -> str: ...
def command_line(arguments: list[str]) -> int: ...
def abandon() -> None: ...
@final
class Session:
    def __new__(cls, model: _Model, options: str | None, device: str, library: _Path | None) -> Session: ...
    @property
    def inputs(self) -> list[tuple[str, str, list[int | None]]]: ...
    def run(self, feeds: list[tuple[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]: ...
