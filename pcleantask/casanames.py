"""The names that CASA's shell gives a script, for scripts without imports that run outside of it."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from . import casa

TASKS = "casatasks"
MODULES = (TASKS, "casatools", "casaconfig", "importlib", "os", "platform", "re", "sys")
# The shell's tools (casashell/private/load_tools.py), by the names of their classes in casatools.
TOOLS = {
    "af": "agentflagger", "at": "atmosphere", "ca": "calanalysis", "cb": "calibrater", "cl": "componentlist",
    "cs": "coordsys", "fn": "functional", "ia": "image", "im": "imager", "imd": "imagemetadata", "lm": "linearmosaic",
    "me": "measures", "ms": "ms", "msmd": "msmetadata", "mt": "mstransformer", "po": "imagepol", "qa": "quanta",
    "rg": "regionmanager", "sdms": "singledishms", "sl": "spectralline", "sm": "simulator", "tb": "table",
    "vf": "vlafiller", "vp": "vpmanager",
}  # fmt: skip
CLASSES = {"vlafiller": "vlafiller", **{f"{name}tool": kind for name, kind in TOOLS.items() if name != "vf"}}


class CasaNames(dict[str, Any]):
    """Python's builtins, and CASA's names when a script first asks for one of them.

    It is for a main module's `__builtins__`: there Python looks for names that the module hasn't. Nothing of CASA is
    loaded for a script that asks for none, so that it may set up CASA before it imports it.
    """

    def __init__(self) -> None:
        super().__init__(vars(builtins))

    def __missing__(self, name: str) -> Any:
        """Make what CASA's shell has under that name; a KeyError, where it has nothing, becomes Python's NameError."""
        found = self[name] = _made(name)
        return found


def _made(name: str) -> Any:
    if name in MODULES:
        return importlib.import_module(name)
    if name in TOOLS:
        return getattr(casa.load(), TOOLS[name])()
    if name in CLASSES:
        return getattr(casa.load(), CLASSES[name])
    if name == "execfile":
        return execfile
    if name == "casalog" or _is_task(name):
        return getattr(importlib.import_module(TASKS), name)
    raise KeyError(name)


def _is_task(name: str) -> bool:
    """Whether casatasks has a task of that name, found without importing it: each is a module of its own."""
    spec = importlib.util.find_spec(TASKS)
    return spec is not None and spec.origin is not None and (Path(spec.origin).parent / f"{name}.py").is_file()


def execfile(filename: str, variables: dict[str, Any] | None = None) -> None:
    """Run the script of that name with the caller's global variables, or with others."""
    code = compile(Path(filename).read_bytes(), filename, "exec")
    exec(code, sys._getframe(1).f_globals if variables is None else variables)
