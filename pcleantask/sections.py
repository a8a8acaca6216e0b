"""The sections of a configuration: parameters that belong together. Their defaults stand in the XML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .traits import BRIGGS, makes_terms


@dataclass(frozen=True)
class Selection:
    """What to read of one MeasurementSet; every entry is a CASA selection string."""

    vis: str
    field: str = ""
    spw: str = ""
    timerange: str = ""
    uvrange: str = ""
    antenna: str = ""
    scan: str = ""
    observation: str = ""
    intent: str = ""


@dataclass(frozen=True)
class ImageField:
    """One image field: the main one, or an outlier. Holds everything in which fields may differ.

    `imsize` is in pixels (nx, ny), `cell` two quantities (dx, dy) such as '0.1arcsec'; `start`, `width` and `reffreq`
    are channels, frequencies or velocities as tclean takes them.
    """

    imagename: str
    imsize: tuple[int, int]
    cell: tuple[str, str]
    phasecenter: int | str
    startmodel: str | tuple[str, ...]
    specmode: str
    reffreq: str
    nchan: int
    start: Any
    width: Any
    nterms: int
    gridder: str
    wprojplanes: int
    deconvolver: str
    usemask: str
    mask: str | tuple[str, ...]

    @property
    def is_cube(self) -> bool:
        """True where CASA images channel by channel and normalizes by itself."""
        return "cube" in self.specmode

    @property
    def multiterm(self) -> bool:
        return makes_terms(self.deconvolver)


@dataclass(frozen=True)
class ImageFrame:
    """What all fields share of their coordinate systems."""

    stokes: str
    projection: str
    outframe: str
    veltype: str
    restfreq: Any


@dataclass(frozen=True)
class Gridding:
    """How visibilities are put on the uv grid; `pblimit` is the primary-beam level of the image edge."""

    interpolation: str
    facets: int
    psfphasecenter: int | str
    vptable: str
    mosweight: bool
    aterm: bool
    psterm: bool
    wbawp: bool
    conjbeams: bool
    cfcache: str
    usepointing: bool
    computepastep: float
    rotatepastep: float
    pointingoffsetsigdev: tuple[float, ...]
    pblimit: float
    normtype: str
    psfcutoff: float


@dataclass(frozen=True)
class Weighting:
    """Imaging weights; `noise` is a quantity in Jy, `uvtaper` up to (bmaj, bmin, bpa)."""

    weighting: str
    robust: float
    noise: Any
    npixels: int
    uvtaper: tuple[str, ...]
    perchanweightdensity: bool

    @property
    def kind(self) -> str:
        """'natural', 'uniform', 'briggs', ..."""
        return "briggs" if self.weighting in BRIGGS else self.weighting

    @property
    def rmode(self) -> str:
        """What Briggs' robustness is relative to: 'norm', 'abs', 'bwtaper'; 'none' for other weightings."""
        return BRIGGS.get(self.weighting, "none")


@dataclass(frozen=True)
class Deconvolution:
    """The minor cycle and the restoration; `scales` are in pixels."""

    scales: tuple[float, ...]
    smallscalebias: float
    fusedthreshold: float
    largestscale: int
    restoration: bool
    restoringbeam: str | tuple[str, ...]
    pbcor: bool


@dataclass(frozen=True)
class Masking:
    """auto-multithresh and the primary-beam mask; thresholds are in units of the noise or the sidelobe level."""

    pbmask: float
    sidelobethreshold: float
    noisethreshold: float
    lownoisethreshold: float
    negativethreshold: float
    smoothfactor: float
    minbeamfrac: float
    cutthreshold: float
    growiterations: int
    dogrowprune: bool
    minpercentchange: float
    verbose: bool
    fastnoise: bool


@dataclass(frozen=True)
class Iteration:
    """When to stop; `threshold` is in Jy/beam (a number or a quantity)."""

    niter: int
    gain: float
    threshold: Any
    nsigma: float
    cycleniter: int
    cyclefactor: float
    minpsffraction: float
    maxpsffraction: float
    nmajor: int
    fullsummary: bool


@dataclass(frozen=True)
class Run:
    """What the run reuses, makes and leaves, and what computes it."""

    datacolumn: str
    restart: bool
    savemodel: str
    calcres: bool
    calcpsf: bool
    parallel: bool
    nworkers: int
    engine: str
    automaskengine: str
    resume: bool


SHARED_SECTIONS: dict[str, type] = {
    "frame": ImageFrame,
    "gridding": Gridding,
    "weighting": Weighting,
    "deconvolution": Deconvolution,
    "masking": Masking,
    "iteration": Iteration,
    "run": Run,
}
