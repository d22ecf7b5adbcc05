"""The program `abslrp`, which is the extension's: `python -m abslrp` is the same."""

from __future__ import annotations

import os
import sys

from . import _abslrp
from ._runtime import library


def main() -> int:
    """Does what `sys.argv` says. Returns the exit code: 0 done, 1 failed or a check does not hold, 2 wrong usage."""
    if found := library():
        # That of this environment, before any that another Python on the path may have.
        os.environ.setdefault("ORT_DYLIB_PATH", found)
    # Started by `python -m`, it is called what it would be called otherwise.
    program = sys.argv[0] if sys.argv[0] != __file__ else "abslrp"
    return _abslrp.command_line([program, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
