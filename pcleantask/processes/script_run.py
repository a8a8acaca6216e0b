"""Run a script or a module as `python script.py` and `python -m module` would: the command `pclean run`."""

from __future__ import annotations

import builtins
import functools
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import casa

FAILED, USAGE = 1, 2  # exit statuses


def run_script(path: str, arguments: Sequence[str], names: dict[str, Any] | None = None) -> int:
    """Run the script at `path` as the main program of this process.

    Parameters
    ----------
    path : str
    arguments : sequence of str
    names : dict, optional
        What the script finds beyond its own global variables; by default Python's builtins.

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
    file = os.path.abspath(path)
    main = _main_module([path, *arguments], os.path.dirname(file))
    main.__dict__.update(__file__=file, __builtins__=names or builtins)
    return _run(functools.partial(compile, source, file, "exec"), main)


def run_module(name: str, arguments: Sequence[str]) -> int:
    """Run the module, or the package's `__main__`, of that name; as `run_script` else."""
    main = _main_module(["-m", *arguments], os.getcwd(), for_shell=name == "casashell")
    return _run(functools.partial(_code_of_module, name, main), main)


def _main_module(arguments: list[str], folder: str, *, for_shell: bool = False) -> types.ModuleType:
    """A new main module, for a program with this command line, which finds modules in the folder first."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if sys.path[:1] == [os.path.dirname(os.path.realpath(sys.argv[0]))]:  # where the command `pclean` is
        del sys.path[0]
    sys.path.insert(0, folder)
    sys.argv[:] = arguments
    casa.set_up(for_shell=for_shell)
    return main


def _code_of_module(name: str, main: types.ModuleType) -> types.CodeType:
    """The code of a module, for which `main` is made ready; its package is imported, as by Python."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    loader: Any = None if spec is None else spec.loader
    code = loader.get_code(spec.name) if spec is not None and hasattr(loader, "get_code") else None
    if spec is None or code is None:
        sys.stderr.write(f"pclean: there is no module {name!r} to run; give its name as after `python -m`\n")
        sys.exit(USAGE)
    main.__dict__.update(
        __file__=spec.origin, __spec__=spec, __package__=spec.parent, __loader__=loader, __builtins__=builtins
    )
    sys.argv[0] = str(spec.origin)
    return code


def _run(code: Callable[[], types.CodeType], main: types.ModuleType) -> int:
    """Run what `code` makes as the main module; the exit status."""
    try:
        exec(code(), main.__dict__)
    except Exception as error:  # noqa: BLE001  the interpreter's own way with what a program doesn't catch
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return FAILED
    return 0
