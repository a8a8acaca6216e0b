"""Which engine grids a run: what engine='ducc' does, and what only CASA does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .errors import ParameterError
from .sections import Gridding, ImageField, ImageFrame
from .traits import AUTO, CASA, DUCC, GRIDDERS

VARIABLE = "PCLEAN_ENGINE"  # of the environment: the engine of calls that name none
CHOICES = (CASA, DUCC, AUTO)
SPECMODES = ("mfs", "cont", "cube", "cubedata")
INTERPOLATIONS = ("nearest", "linear")


_by_default: list[str] = []  # what `engine_by_default` was told last


def engine_by_default(engine: str) -> None:
    """From now on, calls in this process that name no engine take this one."""
    _by_default[:] = [engine]


def asked_engine(engine: str) -> str:
    """The engine that a call with that `engine` asks for.

    Raises
    ------
    ParameterError
        The environment names none that there is.
    """
    return engine or default_engine()[0] or CASA


def default_engine() -> tuple[str, str]:
    """The engine of calls that name none, and who says so; both '' where nobody does."""
    if _by_default:
        return _by_default[0], "pclean run --engine"
    named = os.environ.get(VARIABLE, "").strip()
    if named not in ("", *CHOICES):
        raise ParameterError(f"{VARIABLE}={named!r} in the environment is no engine; it must be one of {list(CHOICES)}")
    return named, VARIABLE if named else ""


def check_engine(asked: str, beyond: str) -> None:
    """Raise ParameterError where engine='ducc' is asked for what is `beyond` it."""
    if asked == DUCC and beyond:
        raise ParameterError(f"engine='ducc' doesn't do {beyond}; use engine='casa' or engine='auto'")


def chosen_engine(asked: str, beyond: str) -> str:
    """The engine that grids a run, given the one asked for and what is `beyond` ducc."""
    if asked != AUTO:
        return asked
    return CASA if beyond else DUCC


def beyond_ducc(fields: Sequence[ImageField], frame: ImageFrame, gridding: Gridding) -> str:
    """What of a run engine='ducc' doesn't do, in the user's words; '' where it does all."""
    found = {
        "stokes='pseudoI'": frame.stokes == "pseudoI",
        f"facets={gridding.facets}": gridding.facets > 1,
        f"interpolation={gridding.interpolation!r}": gridding.interpolation not in INTERPOLATIONS
        and any(field.is_cube for field in fields),
    }
    for field in fields:
        found |= _beyond_ducc(field)
    if any(GRIDDERS[field.gridder].joins_pointings for field in fields):
        found |= _beyond_mosaics(gridding, fields)
    axes = {(field.specmode, field.nchan, str(field.start), _width(field)) for field in fields}
    found["outlier fields of another specmode, nchan, start or width"] = len(axes) > 1
    return ", ".join(words for words, is_asked in found.items() if is_asked)


def _beyond_ducc(field: ImageField) -> dict[str, bool]:
    return {
        f"gridder={field.gridder!r}": not GRIDDERS[field.gridder].in_ducc,
        f"specmode={field.specmode!r}": field.specmode not in SPECMODES,
        f"phasecenter={field.phasecenter!r}": _moves(field.phasecenter),
    }


def _beyond_mosaics(gridding: Gridding, fields: Sequence[ImageField]) -> dict[str, bool]:
    main = fields[0]
    return {
        "usepointing=True": gridding.usepointing,
        "conjbeams=True": gridding.conjbeams and GRIDDERS[main.gridder].has_conjugate_beams and not main.is_cube,
        f"gridder={main.gridder!r} with a vptable": gridding.vptable != "",
        "outlier fields of another gridder": any(field.gridder != main.gridder for field in fields),
    }


def _width(field: ImageField) -> str:
    """The width as CASA tells widths apart: the number 2 is one of 2 channels, the text '2' the default, one of 1."""
    return "" if str(field.width) in ("", "1") else repr(field.width)


def _moves(phasecenter: int | str) -> bool:
    """Whether it names a body, an ephemeris table or 'TRACKFIELD', in place of a direction or a field's number."""
    words = str(phasecenter).split()
    return (len(words) == 1 and not words[0].isdecimal()) or (len(words) > 1 and Path(str(phasecenter)).exists())
