"""What a row of the table is, the parameters that rows begin with, and short ways to write rows.

A row is one call or several in a row, in one folder, with the same parameters for tclean and pclean. `own` are
parameters only pclean has. Data are the names of conftest.DATASETS; a copy of each lies in the folder as NAME.ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Params = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes
    ----------
    name : str
    calls : tuple of dict
        tclean's parameters, call by call.
    own : dict
        Parameters that only pclean has, added to each of its calls.
    files : dict
        Text files that lie in the folder: name -> content.
    before : callable
        Makes whatever else the calls need in the folder it is given.
    expect : dict
        Entries of the last return dictionary, e.g. stopcode: they say what the row is there for.
    fails : str
        What the error of the last call says, where tclean and pclean are to refuse it.
    refused : str
        What pclean's error says, where pclean on purpose refuses what tclean does.
    empty : bool
        tclean itself makes an empty residual.
    long : bool
        Left out unless pytest runs with --all.
    """

    name: str
    calls: tuple[Params, ...]
    own: Params = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    before: Callable[[Path], None] | None = None
    expect: Params = field(default_factory=dict)
    fails: str = ""
    refused: str = ""
    empty: bool = False
    long: bool = True

    @property
    def data(self) -> list[str]:
        """Names of the MeasurementSets that the calls read."""
        paths = [path for call in self.calls for path in _as_list(call["vis"])]
        return sorted({path.removesuffix(".ms") for path in paths})

    @property
    def imagenames(self) -> list[str]:
        """Names of the images that the calls make, outliers apart."""
        return list(dict.fromkeys(call["imagename"] for call in self.calls))


def _as_list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


COMMON: Params = {
    "imagename": "img",
    "imsize": 100,
    "cell": "0.4arcsec",
    "niter": 100,
    "gain": 0.2,
    "cycleniter": 40,
    "weighting": "natural",
}
MFS: Params = {**COMMON, "vis": "continuum.ms", "specmode": "mfs", "deconvolver": "hogbom"}
# LSRK is 2.8 MHz below TOPO: the six channels are inside the band, and all five lines are in them or near.
CUBE: Params = {
    **COMMON,
    "vis": "line.ms",
    "specmode": "cube",
    "deconvolver": "hogbom",
    "outframe": "LSRK",
    "start": "229.999GHz",
    "width": "1MHz",
    "nchan": 6,
    "niter": 300,
    "interpolation": "linear",
}
MOSAIC: Params = {
    "vis": "mosaic.ms",
    "gridder": "mosaic",
    "imsize": 144,
    "phasecenter": "J2000 10h00m00.0s -25d00m00.0s",
}
STOKES: Params = {"vis": "full_stokes.ms"}
WIDE: Params = {"vis": "wide.ms", "imsize": 144, "cell": "16arcsec"}

# Two blobs of CRTF: one on the source in the centre, one on the source at (4.2, 2.6) arcsec (in pixels).
CENTRE = "circle[[50pix,50pix],6pix]"
NEIGHBOUR = "circle[[39pix,56pix],5pix]"
CRTF = f"#CRTFv0\n{CENTRE}\n{NEIGHBOUR}\n"

OUTLIERS = """#CASA outliers
imagename=outlier
imsize=[40,40]
cell=[16.0arcsec,16.0arcsec]
phasecenter=J2000 10h00m50.4s 34d44m50.0s
"""
NEAR_OUTLIER = """imagename=outlier
imsize=[40,40]
cell=[0.4arcsec,0.4arcsec]
phasecenter=J2000 10h00m00.3s -25d00m03.0s
"""
OUTLIERS_MASKED = OUTLIERS + "mask=circle[[20pix,20pix],8pix]\n"


def mfs(name: str, expect: Params | None = None, **changes: Any) -> Case:
    """A continuum row: MFS with changes."""
    return Case(name, ({**MFS, **changes},), expect=expect or {})


def cube(name: str, expect: Params | None = None, **changes: Any) -> Case:
    """A cube row: CUBE with changes."""
    return Case(name, ({**CUBE, **changes},), expect=expect or {})


def steps(name: str, base: Params, *changes: Params, expect: Params | None = None) -> Case:
    """A row of several calls: `base` with each of `changes`."""
    return Case(name, tuple({**base, **change} for change in changes), expect=expect or {})


def after(case: Case, before: Callable[[Path], None]) -> Case:
    """The case after something else was made in its folder."""
    return replace(case, before=before)


def with_files(case: Case, **files: str) -> Case:
    """The case with text files in its folder; `_` in a name stands for a dot."""
    return replace(case, files={name.replace("_", "."): text for name, text in files.items()})


AUTO: Params = {
    "usemask": "auto-multithresh",
    "sidelobethreshold": 1.25,
    "noisethreshold": 4.25,
    "lownoisethreshold": 1.5,
    "negativethreshold": 0.0,
    "minbeamfrac": 0.3,
    "growiterations": 50,
}
# Where the noise sets the mask's threshold and ends the clean: tried so that each option of automask shows.
NOISY_AUTO: Params = {
    **AUTO,
    "vis": "noisy.ms",
    "niter": 1000,
    "cycleniter": -1,
    "threshold": "0.03Jy",
    "sidelobethreshold": 0.6,
    "noisethreshold": 3.5,
}

# A second call goes on with the images of the first as they are.
GO_ON: Params = {"calcres": False, "calcpsf": False}
