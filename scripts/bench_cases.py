"""What scripts/bench measures: the contestants, the cases they meet in, and the sizes of the data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from bench_child import IMAGENAME


@dataclass(frozen=True)
class Contestant:
    """A way to make the images.

    Attributes
    ----------
    run : str
        Which function makes them: a key of `bench_child.RUNS`.
    parameters : dict
        What it needs beside the case's parameters, such as parallel=True and nworkers=2.
    option : str
        The option of scripts/bench that gives its Python, where it lives in an environment of its own.
    ranks : int
        How many ranks of an MPI job it runs on; 0 for no MPI.
    program : str
        A program on the PATH that it can't do without.
    writes_data : bool
        Whether it writes to the MeasurementSet, so that it gets a copy.
    makes_casa_images : bool
        Whether its images can be compared with tclean's.
    compared : str
        Which images are compared, where they are others than the case's.
    """

    run: str
    parameters: dict[str, Any] = field(default_factory=dict)
    option: str = ""
    ranks: int = 0
    program: str = ""
    writes_data: bool = False
    makes_casa_images: bool = True
    compared: str = ""


NO_SUMWT = ".[!s]*"  # a sum of 1e8 in single precision: in another order it differs by tens
DUCC = {"engine": "ducc"}
TWO = {"parallel": True, "nworkers": 2}
# A new contestant is one line here, and its name in the cases that it takes part in.
CONTESTANTS = {
    "tclean": Contestant("tclean"),
    "pclean": Contestant("pclean"),
    "pclean-2": Contestant("pclean", TWO),
    "ducc": Contestant("pclean", DUCC, compared=NO_SUMWT),
    "ducc-2": Contestant("pclean", {**DUCC, **TWO}, compared=NO_SUMWT),
    "wsclean": Contestant("wsclean", program="wsclean", writes_data=True, makes_casa_images=False),
    "casa-pclean-2": Contestant("casa-pclean", TWO, "casa_pclean"),
    "casa-pclean-2-by-channel": Contestant("casa-pclean", {**TWO, "cube_chunksize": 1}, "casa_pclean"),
    "casampi-2": Contestant("casampi-tclean", {"parallel": True}, "casampi", ranks=3),  # one of them only leads
    "casa-minor": Contestant("minor", {"kind": "casa"}),
    "memory-minor": Contestant("minor", {"kind": "memory"}),
    "casa-mask": Contestant("mask", {"automaskengine": "casa"}),
    "numpy-mask": Contestant("mask", {"automaskengine": "numpy"}),
}


@dataclass(frozen=True)
class Case:
    """What is made, and by whom; the first contestant is the one that the others are compared with.

    Attributes
    ----------
    kind : str
        'cube', 'mfs', ...: which of a size's parameters.
    data : str
        Which of a size's data.
    whole_process : bool
        Whether the time is that of the whole process, start and imports included, or of the call alone.
    proof : tuple of str
        Suffixes of the images that show that a run has done its work: they must be there and hold something.
    compared : str
        Which images are compared: suffix, or pattern of suffixes.
    from_dirty : bool
        Whether each run starts from the dirty images (residual, psf, pb) on disk.
    """

    title: str
    contestants: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    kind: str = "cube"
    data: str = "bench"
    whole_process: bool = True
    proof: tuple[str, ...] = (".image", ".model", ".mask")
    compared: str = ".*"
    from_dirty: bool = False


AUTOMASK = {"usemask": "auto-multithresh"}
# As ALMA's pipeline masks mosaics of 7 m; without channel 0, whose few integrations have sidelobes as high as the peak.
LOWER_THRESHOLDS = {**AUTOMASK, "sidelobethreshold": 1.25, "minbeamfrac": 0.1, "start": 1}
SCALES = {"deconvolver": "multiscale", "scales": [0, 5, 15]}
OURS = ("tclean", "pclean", "pclean-2", "ducc", "ducc-2")
MOSAIC_CASE = Case(
    "a cube of a mosaic of 27 pointings",
    ("tclean", "ducc", "ducc-2"),
    kind="mosaic-cube",
    data="mosaic",
    compared=NO_SUMWT,
)
TERMS_CASE = Case(
    "a continuum image of two Taylor terms, bandwidth 30 %",
    ("tclean", "ducc", "ducc-2"),
    {"deconvolver": "mtmfs", "nterms": 2},
    kind="terms",
    data="wide-band",
    proof=(".image.tt0", ".model.tt0", ".model.tt1"),
    compared=NO_SUMWT,
)
CASES = {
    "cube": Case("a cube, no mask", ("tclean", "pclean")),
    "automask": Case("a cube with usemask='auto-multithresh'", ("tclean", "pclean"), AUTOMASK),
    "multiscale": Case(
        "a multiscale cube, scales 0, 5 and 15",
        ("tclean", "ducc", "ducc-2"),
        SCALES,
        compared=NO_SUMWT,
    ),
    "mask-update": Case(
        "one automask update of all planes, the call alone",
        ("casa-mask", "numpy-mask"),
        AUTOMASK,
        whole_process=False,
        proof=(".mask",),
        compared=".mask",
        from_dirty=True,
    ),
    "plane": Case(
        "one minor cycle of Hogbom on a plane of 4096 x 4096, the call alone",
        ("casa-minor", "memory-minor"),
        kind="plane",
        whole_process=False,
        proof=(".model",),
        compared=".model",
        from_dirty=True,
    ),
    "multiscale-plane": Case(
        "one minor cycle of multiscale on a continuum image, the call alone",
        ("casa-minor", "memory-minor"),
        SCALES,
        kind="mfs",
        whole_process=False,
        proof=(".model",),
        compared=".model",
        from_dirty=True,
    ),
    "wide": Case(
        "a wide field with w, 3072 x 3072; tclean with 128 planes in w",
        ("tclean", "ducc", "ducc-2"),
        kind="wide",
        data="wide",
        proof=(".image", ".model"),
        compared=NO_SUMWT,
    ),
    "mtmfs": TERMS_CASE,
    "mtmfs-wide": replace(
        TERMS_CASE,
        title="two Taylor terms of a wide field with w, 3072 x 3072; tclean with 128 planes in w",
        kind="wide",
        data="wide",
    ),
    "cube-2": Case("a cube, no mask, on two workers", (*OURS, "casa-pclean-2", "casampi-2", "wsclean")),
    "automask-2": Case(
        "a cube with usemask='auto-multithresh', on two workers", (*OURS, "casa-pclean-2-by-channel"), AUTOMASK
    ),
    "mfs": Case(
        "a continuum image, on two workers",
        (*OURS, "casa-pclean-2", "casampi-2", "wsclean"),
        kind="mfs",
        compared=NO_SUMWT,
    ),
    "mfs-long": Case(
        "a continuum image of three times the data, on two workers",
        (*OURS, "casampi-2"),
        kind="mfs",
        data="long",
        compared=NO_SUMWT,
    ),
    "mosaic-cube": MOSAIC_CASE,
    "mosaic-automask": replace(
        MOSAIC_CASE, title="a cube of a mosaic with usemask='auto-multithresh'", parameters=LOWER_THRESHOLDS
    ),
    "mosaic-mfs": replace(MOSAIC_CASE, title="a continuum image of a mosaic", kind="mosaic-mfs"),
}


# As many major cycles in each step: the limit of iterations that ends the other cubes would spare the larger ones one.
THREE_CYCLES = {"niter": 100_000, "nmajor": 3}
ALONE = Case("a cube with engine='ducc' in one process, twice as much at each step", ("ducc",), THREE_CYCLES)
# The steps of each: twice the channels, the rows, or the pixels in the same field.
GROWTHS = {
    "growth-channels": (replace(ALONE, data="half-channels"), ALONE, replace(ALONE, data="twice-channels")),
    "growth-rows": (replace(ALONE, data="half-rows"), ALONE, replace(ALONE, data="twice-rows")),
    "growth-pixels": (ALONE, replace(ALONE, kind="cube-twice"), replace(ALONE, kind="cube-four-times")),
}


@dataclass(frozen=True)
class Size:
    """Arguments of simulate_ms by name of the data, and the parameters that go with them by kind of image."""

    simulations: dict[str, dict[str, Any]]
    parameters: dict[str, dict[str, Any]]

    def describe(self, case: Case) -> str:
        """How much data a case has, and how many pixels a plane of its image."""
        data, imsize = self.simulations[case.data], self.parameters[case.kind]["imsize"]
        return f"{data['nintegrations']} integrations, {data['nchannels']} channels, {imsize} x {imsize} pixels"


COMMON = {"imagename": IMAGENAME, "datacolumn": "data", "weighting": "briggs", "robust": 0.5, "pblimit": 0.1}
CUBE = {**COMMON, "specmode": "cube", "cell": "0.1arcsec", "threshold": "5mJy"}
MFS = {**COMMON, "specmode": "mfs", "cell": "0.05arcsec", "threshold": "1mJy"}
WIDE = {
    **COMMON,
    "specmode": "mfs",
    "gridder": "wproject",
    "wprojplanes": 128,
    "cell": "1.5arcsec",
    "niter": 200,
    "threshold": "5mJy",
    "pblimit": -0.1,
}
MOSAIC = {
    "gridder": "mosaic",
    "phasecenter": "J2000 10h00m00.0s -25d00m00.0s",
    "cell": "0.2arcsec",
    "imsize": 640,
    "niter": 3000,
    "pblimit": 0.2,
}
PLANE = {**MFS, "cell": "0.0125arcsec", "niter": 3000, "threshold": "0Jy"}
# VLA A at 1.4 GHz: a source 20 arcmin off.
OFF_AXIS = {
    "array": "vla.a",
    "start_hz": 1.4e9,
    "correlations": "RR LL",
    "direction": "J2000 10h00m00.0s 35d00m00.0s",
    "primary_beam": False,
    "sources": "wide",
    "seed": 1,
}
# 27 pointings in rows, half a primary beam apart; each is observed twice.
POINTINGS = [
    (13.6 * (place - (count - 1) / 2), 11.8 * row)
    for row, count in zip(range(-2, 3), (5, 6, 5, 6, 5), strict=True)
    for place in range(count)
]
FULL = {"nintegrations": 60, "nchannels": 64, "seed": 1}
# 30 % of the frequency at its middle.
WIDE_BAND = {"channel_hz": 1.08e9, "start_hz": 196e9, "sources": "continuum"}
SMALL = {"antennas": 30, "nintegrations": 6, "integration_s": 600.0, "nchannels": 6, "seed": 1}
SIZES = {
    "full": Size(
        {
            "bench": FULL,
            "long": {**FULL, "nintegrations": 180},
            "half-channels": {**FULL, "nchannels": 32},
            "twice-channels": {**FULL, "nchannels": 128},
            "half-rows": {**FULL, "nintegrations": 30},
            "twice-rows": {**FULL, "nintegrations": 120},
            "wide": {**OFF_AXIS, "nintegrations": 20, "nchannels": 64},
            "mosaic": {**FULL, "nintegrations": 54, "pointings": POINTINGS},
            "wide-band": {**FULL, **WIDE_BAND},
        },
        {
            "wide": {**WIDE, "imsize": 3072},
            "plane": {**PLANE, "imsize": 4096},
            "cube": {**CUBE, "imsize": 512, "niter": 5000},
            "cube-twice": {**CUBE, "imsize": 720, "cell": "0.0711arcsec", "niter": 5000},
            "cube-four-times": {**CUBE, "imsize": 1024, "cell": "0.05arcsec", "niter": 5000},
            "mfs": {**MFS, "imsize": 1024, "niter": 2000},
            "terms": {**MFS, "imsize": 1024, "niter": 500},
            "mosaic-cube": {**CUBE, **MOSAIC},
            "mosaic-mfs": {**MFS, **MOSAIC},
        },
    ),
    "small": Size(
        {
            "bench": SMALL,
            "long": {**SMALL, "nintegrations": 18, "integration_s": 200.0},
            "half-channels": {**SMALL, "nchannels": 3},
            "twice-channels": {**SMALL, "nchannels": 12},
            "half-rows": {**SMALL, "nintegrations": 3},
            "twice-rows": {**SMALL, "nintegrations": 12},
            "wide": {**OFF_AXIS, "antennas": 10, "nintegrations": 2, "nchannels": 2},
            "mosaic": {**SMALL, "nintegrations": 27, "integration_s": 100.0, "pointings": POINTINGS},
            "wide-band": {**SMALL, **WIDE_BAND, "channel_hz": 1.15e10},
        },
        {
            "wide": {**WIDE, "imsize": 2048, "wprojplanes": 8, "niter": 20},
            "plane": {**PLANE, "cell": "0.1arcsec", "imsize": 160, "niter": 100},
            "cube": {**CUBE, "imsize": 160, "niter": 300},
            "cube-twice": {**CUBE, "imsize": 224, "cell": "0.0714arcsec", "niter": 300},
            "cube-four-times": {**CUBE, "imsize": 320, "cell": "0.05arcsec", "niter": 300},
            "mfs": {**MFS, "cell": "0.1arcsec", "imsize": 160, "niter": 100},
            "terms": {**MFS, "cell": "0.1arcsec", "imsize": 160, "niter": 100},
            "mosaic-cube": {**CUBE, **MOSAIC, "cell": "0.4arcsec", "imsize": 320, "niter": 100},
            "mosaic-mfs": {**MFS, **MOSAIC, "cell": "0.4arcsec", "imsize": 320, "niter": 100},
        },
    ),
}
