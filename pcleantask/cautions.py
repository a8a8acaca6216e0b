"""What parameters call for a warning of, before any work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

from .inputs import BARE_NUMBER
from .outliers import ignored_names
from .traits import GRIDDERS, makes_terms

REST = re.compile(r"^\s*[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*([a-zA-Z]?Hz|[a-zA-Z]?m|Angstrom|A)\s*$")  # of a line


def of_parameters(values: Mapping[str, Any], *, in_mpi_job: bool = False, is_parallel: bool = False) -> list[str]:
    """What these parameters call for a warning of: what tclean warns of before it goes on, and what has no effect.

    `is_parallel` says that the run is, whatever the parameter `parallel`.
    """
    taylor = values["specmode"] in ("mfs", "cont") and makes_terms(values["deconvolver"])
    gridder = GRIDDERS[values["gridder"]]
    found = []
    if taylor and gridder.shows_beam_spectrum and values["pbcor"]:
        found.append(
            "pbcor=True with deconvolver='mtmfs' divides every Taylor term by pb.tt0 and leaves the primary beam's own "
            "spectral index in the images: fit for small fractional bandwidths only. specmode='mvc', or "
            "gridder='awproject' with wbawp=True and conjbeams=True, corrects for it"
        )
    if taylor and gridder.lacks_conjugates:
        found.append(
            f"gridder={values['gridder']!r} has no conjugate beams: with deconvolver='mtmfs' it takes a few major "
            "cycles to converge towards the right spectrum; specmode='mvc' needs none"
        )
    if values["specmode"] == "mvc":
        unused = [name for name in ("start", "width") if values[name] != ""]
        if unused:
            found.append(
                f"specmode='mvc' images all of the selected spectral windows: no use for {' and '.join(unused)}"
            )
    if in_mpi_job and not values["parallel"] and values["specmode"] not in ("mfs", "cont"):
        found.append("parallel=False has no effect on a cube in an MPI job: the ranks share its channels")
    ignored = ignored_names(values["outlierfile"]) if values["outlierfile"] else []
    if ignored:
        found.append(f"outlierfile: fields can't differ in {', '.join(ignored)}; the main field's values hold")
    if values["weighting"] == "briggsbwtaper" and not values["perchanweightdensity"]:
        found.append("weighting='briggsbwtaper' is meant for perchanweightdensity=True, got False")
    if values["nworkers"] and not (values["parallel"] or in_mpi_job or is_parallel):
        found.append(f"nworkers={values['nworkers']} has no effect without parallel=True")
    if any(_entries(values["mask"])) and values["usemask"] != "user":
        found.append(f"mask={values['mask']!r} has no effect with usemask={values['usemask']!r}; it has with 'user'")
    return found + _rest_frequency_cautions(values["restfreq"])


def _rest_frequency_cautions(restfreq: Any) -> list[str]:
    """Warnings of rest frequencies that are taken for something else than what is meant, or for nothing."""
    found = []
    for entry in _entries(restfreq):
        if isinstance(entry, Real):
            found.append(f"restfreq={entry!r} has no effect, as it is a number: give a quantity such as '115.27GHz'")
        elif entry and BARE_NUMBER.fullmatch(entry.strip()):
            found.append(f"restfreq={entry!r} has no unit, and is taken for Hz: give one, as in '115.27GHz'")
        elif entry and not REST.match(entry):
            found.append(f"restfreq={entry!r} is neither a frequency nor a wavelength: give such as '115.27GHz'")
    return found


def _entries(value: Any) -> list[Any]:
    """The entries of a list, or the one value."""
    return list(value) if isinstance(value, list | tuple) else [value]
