"""Which engine grids a run: what engine='ducc' does, and what only CASA does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ParameterError

if TYPE_CHECKING:
    from .config import ImageField, PcleanConfig

CASA, DUCC, AUTO = "casa", "ducc", "auto"
FLAT_GRIDDERS = ("standard", "ft", "gridft")
WIDE_GRIDDERS = ("wproject", "wprojectft", "widefield")  # those that take the term in w
SPECMODES = ("mfs", "cont", "cube", "cubedata")
INTERPOLATIONS = ("nearest", "linear")


def check_engine(config: PcleanConfig) -> None:
    """Raise ParameterError where engine='ducc' is asked for what it doesn't do."""
    lacking = beyond_ducc(config)
    if config.run.engine == DUCC and lacking:
        raise ParameterError(f"engine='ducc' doesn't do {lacking}; use engine='casa' or engine='auto'")


def chosen_engine(config: PcleanConfig) -> str:
    """The engine that grids the run."""
    if config.run.engine != AUTO:
        return config.run.engine
    return CASA if beyond_ducc(config) else DUCC


def beyond_ducc(config: PcleanConfig) -> str:
    """What of the run engine='ducc' doesn't do, in the user's words; '' where it does all."""
    found = {
        "stokes='pseudoI'": config.frame.stokes == "pseudoI",
        f"facets={config.gridding.facets}": config.gridding.facets > 1,
        f"interpolation={config.gridding.interpolation!r}": config.gridding.interpolation not in INTERPOLATIONS
        and any(field.is_cube for field in config.fields),
    }
    for field in config.fields:
        found |= _beyond_ducc(field)
    axes = {(field.specmode, field.nchan, str(field.start), _width(field)) for field in config.fields}
    if config.data_need:
        found[config.data_need] = True
    found["outlier fields of another specmode, nchan, start or width"] = len(axes) > 1
    return ", ".join(words for words, is_asked in found.items() if is_asked)


def _beyond_ducc(field: ImageField) -> dict[str, bool]:
    return {
        f"gridder={field.gridder!r}": field.gridder not in (*FLAT_GRIDDERS, *WIDE_GRIDDERS),
        f"specmode={field.specmode!r}": field.specmode not in SPECMODES,
        f"phasecenter={field.phasecenter!r}": _moves(field.phasecenter),
    }


def _width(field: ImageField) -> str:
    """The width as CASA tells widths apart: the number 2 is one of 2 channels, the text '2' the default, one of 1."""
    return "" if str(field.width) in ("", "1") else repr(field.width)


def _moves(phasecenter: int | str) -> bool:
    """Whether it names a body, an ephemeris table or 'TRACKFIELD', in place of a direction or a field's number."""
    words = str(phasecenter).split()
    return (len(words) == 1 and not words[0].isdecimal()) or (len(words) > 1 and Path(str(phasecenter)).exists())
