"""What is looked at, and told in the log, before a run begins."""

from __future__ import annotations

from .. import casa, measurementsets, memory
from ..config import PcleanConfig
from ..gridding.casa import check_known
from ..traits import AUTO
from .run import Parts


def check_data(config: PcleanConfig) -> None:
    """Say who grids, and add to the data what CASA needs of them.

    Raises
    ------
    ParameterError
        The casatools at hand hasn't a gridder that is asked for.
    """
    for field in config.fields:
        check_known(field.gridder)
    _report_engine(config)
    measurementsets.add_missing_weight_spectra([selection.vis for selection in config.all_selections])


def _report_engine(config: PcleanConfig) -> None:
    """Say in the log who grids, and why it isn't ducc where the choice was left to pclean."""
    is_told = config.run.engine == AUTO and config.beyond_ducc
    why = f", as engine='ducc' doesn't do {config.beyond_ducc}" if is_told else ""
    casa.post(f"Gridding with engine={config.engine!r}{why}")


def check_memory(config: PcleanConfig, parts: Parts) -> None:
    """Warn, as tclean does, where gridding and deconvolution may not fit into memory.

    Raises
    ------
    MemoryLimitError
        They don't fit into what limits leave.
    """
    needed = parts.gridder.estimate_memory()
    needed += sum(
        deconvolver.estimate_memory(field.imsize)
        for deconvolver, field in zip(parts.deconvolvers, config.fields, strict=False)
    )
    memory.check_fits(needed * 1024)
    available = casa.available_memory()
    tight = needed > 0.8 * available
    casa.post(f"Memory needed: {needed:.0f} kB; available: {available:.0f} kB", "WARN" if tight else "INFO2")
