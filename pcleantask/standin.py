"""pclean in tclean's place, for scripts and pipelines that can't be edited.

Whatever way such a script reaches the task, as `casatasks.tclean`, by its module, as the function that CASA's wrappers
call, or in the CASA shell, it reaches pclean. All else of CASA stays as it is.
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
FUNCTION = "casatasks.private.task_tclean"  # its tclean is what CASA's wrappers of the task call
WRAPPERS = (MODULE, "casashell.private.tclean")  # they bind that function, as BOUND, when they are imported
BOUND = "_tclean_t"
NOTE = f"tclean is pclean in this run: casatasks.tclean images with pcleantask {__version__}"


class _StandIn(MetaPathFinder, Loader):
    """Finds and fills casatasks.tclean, the module that the package takes its task from."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name == MODULE else None

    def exec_module(self, module: ModuleType) -> None:
        vars(importlib.import_module(FUNCTION))["tclean"] = pclean
        module.__dict__.update(tclean=pclean, _tclean=type(pclean))
        casa.post(NOTE)


def replace_tclean() -> None:
    """From now on, tclean is pclean in this process; the CASA log says so where casatasks is imported.

    What has been bound to CASA's own task before (`from casatasks import tclean`, the CASA shell's tclean) images with
    pclean as well, after CASA's checks of its parameters.
    """
    sys.meta_path.insert(0, _StandIn())
    if TASKS in sys.modules:
        for name in WRAPPERS:
            if name in sys.modules:
                vars(sys.modules[name])[BOUND] = pclean
        sys.modules.pop(MODULE, None)
        vars(sys.modules[TASKS])["tclean"] = importlib.import_module(MODULE).tclean
