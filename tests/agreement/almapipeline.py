"""What ALMA's pipeline does with tclean for a target: a dirty image, a copy of it on disk, and the clean from the copy.

Facts from the pipeline's hif/tasks/tclean (cleanbase.py and tclean.py, release 2024) and from casatasks' own test
test_stk_alma_pipeline_imaging: the parameters and which have a list with an entry an MS; the names iter0, iter1; that
the copy leaves out the mask.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pcleantask import casa

Params = dict[str, Any]

INTENT = "OBSERVE_TARGET#ON_SOURCE"
EPHEMERIS = "ephemerides/JPL-Horizons/Uranus_59214-62866dUTC_J2000.tab"
CENTRE = "ICRS 10:00:00.0000 -025.00.00.000"


@dataclass(frozen=True)
class Automask:
    """A row of the pipeline's table of auto-multithresh by array; of a pair, the first is for cubes."""

    sidelobethreshold: float
    noisethreshold: float
    lownoisethreshold: float
    negativethreshold: tuple[float, float]
    minbeamfrac: float
    growiterations: tuple[int, int]
    fastnoise: bool

    def parameters(self, is_cube: bool) -> Params:
        """As tclean takes them."""
        column = 0 if is_cube else 1
        return {
            "usemask": "auto-multithresh",
            "sidelobethreshold": self.sidelobethreshold,
            "noisethreshold": self.noisethreshold,
            "lownoisethreshold": self.lownoisethreshold,
            "negativethreshold": self.negativethreshold[column],
            "minbeamfrac": self.minbeamfrac,
            "growiterations": self.growiterations[column],
            "dogrowprune": True,
            "minpercentchange": 1.0,
            "fastnoise": self.fastnoise,
        }


# By array and longest baseline.
AUTOMASK = {
    "12m-under-300m": Automask(2.0, 4.25, 1.5, (15.0, 0.0), 0.3, (50, 75), fastnoise=False),
    "12m-300-to-400m": Automask(2.0, 5.0, 1.5, (7.0, 0.0), 0.3, (50, 75), fastnoise=False),
    "12m-over-400m": Automask(2.5, 5.0, 1.5, (7.0, 0.0), 0.3, (50, 75), fastnoise=True),
    "7m": Automask(1.25, 5.0, 2.0, (0.0, 0.0), 0.1, (75, 75), fastnoise=False),
}


@dataclass(frozen=True)
class Target:
    """An image that the pipeline makes.

    Attributes
    ----------
    name : str
    data : tuple of str
        Data sets of conftest.DATASETS.
    array : str
        The row of AUTOMASK.
    changes : dict
        Parameters of all steps.
    lists : dict
        Parameters with an entry an MS, other than LISTS'; each value is one MS's.
    stopcode : int
        At the end of the clean.
    goes_on : bool
        Whether a third step continues from a copy of the second's products.
    long : bool
    """

    name: str
    data: tuple[str, ...]
    array: str
    changes: Params
    lists: Params = field(default_factory=dict)
    stopcode: int = 2
    goes_on: bool = False
    long: bool = True

    @property
    def is_cube(self) -> bool:
        """Whether its channels are apart."""
        return self.changes["specmode"] != "mfs"

    def steps(self) -> list[Params]:
        """tclean's parameters, step by step; a copy of the products of each is where the next begins."""
        lists = {name: [value] * len(self.data) for name, value in {**LISTS, **self.lists}.items()}
        base = {
            "vis": [f"{name}.ms" for name in self.data],
            **lists,
            **COMMON,
            **AUTOMASK[self.array].parameters(self.is_cube),
            **self.changes,
        }
        first = {**base, "imagename": image(0), **DIRTY}
        second = {**base, "imagename": image(1), **CLEAN}
        return [first, second, *([{**second, "imagename": image(2), "threshold": "0.03Jy"}] if self.goes_on else [])]


LISTS: Params = {"antenna": "0,1,2,3,4,5,6,7,8,9,10,11&", "scan": "1", "field": "0", "spw": "0"}
DENSE: Params = {"antenna": ",".join(map(str, range(30))) + "&"}
COMMON: Params = {
    "intent": INTENT,
    "datacolumn": "data",
    "imsize": [100, 100],
    "cell": ["0.4arcsec"],
    "stokes": "I",
    "gridder": "standard",
    "mosweight": False,
    "usepointing": False,
    "pblimit": 0.2,
    "deconvolver": "hogbom",
    "robust": 0.5,
    "npixels": 0,
    "cyclefactor": 1.0,
    "nsigma": 0.0,
    "threshold": "0.08Jy",
    "interactive": False,
    "savemodel": "none",
    "fullsummary": False,
    "phasecenter": CENTRE,
    "niter": 20000,
}
DIRTY: Params = {"niter": 0, "threshold": "0.0mJy", "restoration": False, "pbcor": False}
CLEAN: Params = {"restart": True, "calcres": False, "calcpsf": False, "restoration": True, "pbcor": True}
CUBE: Params = {
    "specmode": "cube",
    "nchan": 8,
    "start": "229.9990000000GHz",
    "width": "1.0000000MHz",
    "outframe": "LSRK",
    "weighting": "briggsbwtaper",
    "perchanweightdensity": True,
    "restoringbeam": "common",
}
MFS: Params = {"specmode": "mfs", "weighting": "briggs", "perchanweightdensity": False, "restoringbeam": "common"}
MOSAIC: Params = {"gridder": "mosaic", "mosweight": True, "imsize": [144, 144]}
TRACKED: Params = {"phasecenter": "TRACKFIELD", "outframe": ""}
MULTITERM: Params = {"deconvolver": "mtmfs", "nterms": 2}
SOURCE_FRAME: Params = {"specmode": "cubesource", "nchan": 4, "start": "230.0240000000GHz", "width": "1.1000000MHz"}
ALL_CHANNELS: Params = {"specmode": "cubesource", "nchan": -1, "start": "", "width": ""}
NO_MASK: Params = {"noisethreshold": 5000.0, "sidelobethreshold": 50.0}
ALL_FIELDS: Params = {"field": "0,1,2", "scan": ""}
LINE_FREE = "0:229.9995~230.0035GHz;230.0065~230.0105GHz"
CONTINUUM = "0:219.6~222.4GHz,1:239.6~241.4GHz;242.6~243.4GHz"


TARGETS = [
    Target("cube", ("noisy", "late_noisy"), "7m", CUBE, goes_on=True, long=False),
    Target("cube-long-baselines", ("dense",), "12m-over-400m", CUBE, DENSE),
    Target("cube-short-baselines", ("dense",), "12m-under-300m", {**CUBE, "fullsummary": True}, DENSE),
    Target("cube-empty-mask", ("noisy", "late_noisy"), "7m", {**CUBE, **NO_MASK}, stopcode=7),
    Target("cube-mosaic", ("mosaic",), "7m", {**CUBE, **MOSAIC}, ALL_FIELDS),
    Target("cube-moving", ("planet",), "7m", {**CUBE, **TRACKED, **SOURCE_FRAME}),
    Target("cube-moving-all-channels", ("planet",), "7m", {**CUBE, **TRACKED, **ALL_CHANNELS}),
    Target("mfs", ("noisy", "late_noisy"), "12m-over-400m", MFS, {"spw": LINE_FREE}, long=False),
    Target("mfs-empty-mask", ("noisy", "late_noisy"), "12m-over-400m", {**MFS, **NO_MASK}, stopcode=7),
    Target("mfs-mosaic", ("mosaic",), "7m", {**MFS, **MOSAIC}, ALL_FIELDS),
    Target("mfs-long-baselines", ("dense",), "12m-over-400m", MFS, {**DENSE, "spw": LINE_FREE}),
    Target("mfs-moving", ("planet",), "7m", {**MFS, **TRACKED}),
    Target(
        "mtmfs",
        ("dense_continuum",),
        "12m-300-to-400m",
        {**MFS, **MULTITERM},
        {**DENSE, "spw": CONTINUUM},
        goes_on=True,
    ),
    Target("mtmfs-mosaic", ("wide_mosaic",), "7m", {**MFS, **MOSAIC, **MULTITERM}, {**ALL_FIELDS, "spw": "0,1"}),
]


def image(step: int) -> str:
    """The pipeline's name of an image: member id, source and intent, spw, mode, Stokes, step."""
    return f"uid___A001_X1_X2.s35_0.target_sci.spw0.I.iter{step}"


def copy_products(folder: Path, step: int) -> None:
    """Copy the images of a step under the next one's name, masks apart."""
    for path in sorted(folder.glob(f"{image(step)}.*")):
        if "mask" not in path.name:
            shutil.copytree(path, folder / path.name.replace(image(step), image(step + 1)))


def dress(vis: Path) -> None:
    """Give a simulated MeasurementSet the intent that ALMA's data have."""
    with casa.opened_table(str(vis / "STATE"), writable=True) as table:
        table.putcol("OBS_MODE", [INTENT] * table.nrows())


def attach_ephemeris(vis: Path) -> None:
    """Attach Uranus' path to the only field, as importasdm does: directions become offsets from it."""
    tools = casa.load()
    ms = tools.ms()
    ms.open(str(vis), nomodify=False)
    try:
        assert ms.addephemeris(0, tools.ctsys.resolve(EPHEMERIS), "Uranus", [0])
    finally:
        ms.close()
    with casa.opened_table(str(vis / "FIELD"), writable=True) as table:
        for name in ("DELAY_DIR", "PHASE_DIR", "REFERENCE_DIR"):
            table.putcol(name, 0 * table.getcol(name))
