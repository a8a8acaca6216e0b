"""CASA's tclean on all cores: `pclean` takes tclean's parameters and gives tclean's images.

Importing the package loads neither casatools nor mpi4py; the first call does. Under an MPI launcher it loads mpi4py at
once, and never casatools: each rank then passes calls between CASA processes.
"""

from __future__ import annotations

import os
import sys

if sys.argv[:1] == ["-m"] and f"-m{__name__}" in "".join(sys.orig_argv) and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]  # by `python -m pcleantask`: nothing that lies beside the data is to be imported

import importlib
from pathlib import Path
from typing import Any

from .pclean import pclean
from .processes.environment import launched_ranks
from .version import __version__

if launched_ranks(os.environ):
    importlib.import_module(".processes.job", __name__).this_rank()

# Public names whose modules load numpy and scipy: imported when first asked for.
LAZY = {
    "Deconvolver": ".imaging.deconvolver",
    "Normalizer": ".imaging.normalizer",
    "PcleanConfig": ".config",
    "SerialImager": ".imaging.serial_imager",
}

__all__ = [
    "Deconvolver",
    "Normalizer",
    "PcleanConfig",
    "SerialImager",
    "__version__",
    "pclean",
    "xml_interface_defs",
]


def xml_interface_defs() -> dict[str, str]:
    """Task name -> path of its definition in XML, in the form of casatasks' function of that name."""
    return {"pclean": str(Path(__file__).parent / "__xml__" / "pclean.xml")}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LAZY[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY})
