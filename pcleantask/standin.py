"""pclean in the place of casatasks.tclean, for scripts and pipelines that can't be edited.

Only the task is replaced: casatasks.private, with its imager helpers, stays as it is.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

from . import casa
from .pclean import pclean
from .version import __version__

TASKS, MODULE = "casatasks", "casatasks.tclean"
NOTE = f"tclean is pclean in this run: casatasks.tclean images with pcleantask {__version__}"


class _StandIn(MetaPathFinder, Loader):
    """Finds and fills casatasks.tclean, the module that the package takes its task from."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name == MODULE else None

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(tclean=pclean, _tclean=type(pclean))
        casa.post(NOTE)


def replace_tclean() -> None:
    """From now on, casatasks.tclean is pclean in this process; the CASA log says so where casatasks is imported.

    Names that were bound to CASA's own tclean before the call (`from casatasks import tclean`) keep it.
    """
    sys.meta_path.insert(0, _StandIn())
    if TASKS in sys.modules:
        sys.modules.pop(MODULE, None)
        vars(sys.modules[TASKS])["tclean"] = importlib.import_module(MODULE).tclean
