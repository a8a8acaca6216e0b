"""Run a script as `python script.py` would: the command `pclean run`."""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from .. import casa

FAILED, USAGE = 1, 2  # exit statuses


def run_script(path: str, arguments: Sequence[str]) -> int:
    """Run the script at `path` as the main program of this process.

    Returns
    -------
    int
        The exit status: 0, or 1 after an exception, whose traceback has been shown. sys.exit in it passes.
    """
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        sys.stderr.write(f"pclean: can't read {path!r} ({error.strerror}); give the path of a Python script\n")
        return USAGE
    casa.set_up()
    main = types.ModuleType("__main__")
    file = os.path.abspath(path)
    main.__dict__.update(__file__=file, __builtins__=builtins)
    sys.modules["__main__"] = main
    sys.argv[:] = [path, *arguments]
    sys.path[0] = os.path.dirname(file)
    try:
        exec(compile(source, file, "exec"), main.__dict__)
    except Exception as error:  # noqa: BLE001  the interpreter's own way with what a program doesn't catch
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return FAILED
    return 0
