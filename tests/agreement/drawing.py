"""Inputs drawn at random: data sets, flags and parameters. All of a case follows from one number, its seed.

Each aspect of a case has a generator of its own, made of the seed and the aspect's name, so that another choice added
to one leaves the others as they were.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulate import simulate_ms
from sky import ARCSEC, LIGHT_SPEED, Source

from pcleantask import casa
from tests.agreement.flagging import KINDS, Flagging, flag

Params = dict[str, Any]
FRAMES = ("LSRK", "LSRK", "LSRK", "LSRD", "BARY", "GEO", "TOPO", "GALACTO", "LGROUP", "CMB", "")
UNITS = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}
LIGHT_KMS = LIGHT_SPEED / 1e3


@dataclass(frozen=True)
class Band:
    """A telescope's band: layout of the antennas, first frequency and channel width [Hz], and a cell that fits."""

    telescope: str
    array: str
    start_hz: float
    channel_hz: float
    cell_arcsec: float
    correlations: str
    direction: str

    @property
    def mosaics(self) -> bool:
        """Whether gridder='mosaic' takes seconds: elsewhere it makes larger convolution functions, for minutes."""
        return self.telescope == "ALMA"


SOUTH, NORTH = "J2000 10h00m00.0s -30d00m00.0s", "J2000 10h00m00.0s 35d00m00.0s"
BANDS = (
    Band("ALMA", "alma.cycle7.3", 230e9, 2e6, 0.15, "XX YY", SOUTH),
    Band("ALMA", "alma.cycle7.3", 97e9, 15.625e6, 0.35, "XX YY", SOUTH),
    Band("VLA", "vla.c", 1.05e9, 1e6, 4.0, "RR LL", NORTH),
    Band("EVLA", "vla.c", 36e9, 125e3, 0.15, "RR LL", NORTH),
    Band("EVLA", "vla.d", 1.4e9, 1e6, 12.0, "RR LL", NORTH),
    Band("ATCA", "atca_750a", 5.5e9, 1e6, 3.0, "XX YY", SOUTH),
    Band("MeerKAT", "meerkat", 1.3e9, 836e3, 4.0, "XX YY", SOUTH),
)


@dataclass(frozen=True)
class Drawn:
    """A case.

    Attributes
    ----------
    seed : int
    data : dict
        Name of each MeasurementSet -> arguments of `simulate_ms`.
    flags : tuple of Flagging
        What is flagged in them.
    params : dict
        tclean's parameters.
    nworkers : int
    files : dict
        Text files that lie beside the data: name -> content.
    """

    seed: int
    data: dict[str, Params]
    flags: tuple[Flagging, ...]
    params: Params
    nworkers: int
    files: dict[str, str] = field(default_factory=dict)

    @property
    def is_cube(self) -> bool:
        return "cube" in self.params["specmode"]

    def make(self, folder: Path) -> None:
        """Put data and files into `folder`."""
        for name, arguments in self.data.items():
            simulate_ms(folder / name, **arguments)
        for flagging in self.flags:
            flag(folder / flagging.vis, flagging)
        for name, text in self.files.items():
            (folder / name).write_text(text)


def draw(seed: int) -> Drawn:
    """The case of a seed."""
    data = _data(seed)
    params = {
        "vis": list(data) if len(data) > 1 else next(iter(data)),
        "imagename": "img",
        "datacolumn": "data",
        **_image(seed, _band(seed)),
        **_axis(seed, _band(seed), data),
        **_selection(seed, data),
    }
    params |= _gridding(seed, params, data)
    params |= _weighting(seed, params, _band(seed))
    params |= _cleaning(seed, params)
    outlier = _outlier(seed, params, _band(seed))
    if outlier:
        params["outlierfile"] = "outliers.txt"
    return Drawn(seed, data, _flags(seed, data), params, _for(seed, "workers").choice([2, 2, 3]), outlier)


def _for(seed: int, aspect: str) -> random.Random:
    return random.Random(f"{seed} {aspect}")


def _band(seed: int) -> Band:
    return _for(seed, "band").choice(BANDS)


def _data(seed: int) -> dict[str, Params]:
    """One data set to three; spws rise, fall, overlap, leave gaps, and have channels of unlike number and width."""
    r, band = _for(seed, "data"), _band(seed)
    shared = {
        "array": band.array,
        "telescope": band.telescope,
        "antennas": None if band.telescope == "ATCA" else r.randint(9, 14),
        "correlations": band.correlations,
        "direction": band.direction,
        "noise_jy": r.choice([0.02, 0.2]),
        "sources": _sky(seed, band),
        "pointings": _pointings(r, band),
        "seed": seed,
    }
    found = {}
    for number in range(r.choice([1, 1, 1, 1, 2, 2, 3])):
        spws = [_spw(r, band, number, spw) for spw in range(r.choice([1, 1, 1, 2, 3]) if number == 0 else 1)]
        starts, steps, counts = zip(*(spws if r.random() < 0.8 else spws[::-1]), strict=True)
        found[f"{'abc'[number]}.ms"] = {
            **shared,
            "start_hz": starts,
            "channel_hz": steps,
            "nchannels": counts,
            "nintegrations": r.randint(3, 8),
            "integration_s": r.choice([10.0, 60.0, 300.0]),
            "reference_time": f"20{r.randint(17, 23)}/{r.randint(1, 12):02d}/{r.randint(1, 28):02d}",
            "hour_angle_h": round(r.uniform(-2, 2), 2),
        }
    return found


def _spw(r: random.Random, band: Band, number: int, spw: int) -> tuple[float, float, int]:
    """First frequency, channel width and number of channels; all sets lie about the first spw of the first one."""
    count = r.choice([1, 4, 8, 12, 20, 20] if spw or number else [8, 12, 20, 20, 20, r.choice([1, 4])])
    step = band.channel_hz * r.choice([1, 1, 1, 2, 0.5]) if spw or number else band.channel_hz
    shift = spw * r.choice([6, 8, 12, 25]) + (r.randint(0, 8) if number else 0)
    lowest = band.start_hz + shift * band.channel_hz
    return (lowest + step * (count - 1), -step, count) if r.random() < 0.3 else (lowest, step, count)


def _sky(seed: int, band: Band) -> tuple[Source, ...]:
    r = _for(seed, "sky")
    places = [(0.0, 0.0), *((r.uniform(-14, 14), r.uniform(-14, 14)) for _ in range(2))]
    return tuple(
        Source(
            round(east * band.cell_arcsec, 2),
            round(north * band.cell_arcsec, 2),
            flux=flux,
            line=flux,
            centre=round(r.random(), 2),
            width=0.15,
        )
        for (east, north), flux in zip(places, (1.0, 0.6, 0.4), strict=True)
    )


def _pointings(r: random.Random, band: Band) -> tuple[tuple[float, float], ...]:
    offset = 12 * band.cell_arcsec
    return r.choice([((0.0, 0.0),)] * 5 + [((-offset, 0.0), (offset, 0.0)) if band.mosaics else ((0.0, 0.0),)])


def _flags(seed: int, data: dict[str, Params]) -> tuple[Flagging, ...]:
    r = _for(seed, "flags")
    found = []
    for _ in range(r.choice([0, 0, 1, 2, 3])):
        name = r.choice(list(data))
        spw = r.randrange(len(data[name]["nchannels"]))
        found.append(Flagging(name, r.choice(KINDS), spw, r.randrange(data[name]["nchannels"][spw])))
    return tuple(found)


def _image(seed: int, band: Band) -> Params:
    r = _for(seed, "image")
    stokes = ["I", "I", "I", "I", *band.correlations.split(), "pseudoI"]
    stokes.append("IQ" if band.correlations == "XX YY" else "IV")
    cell = f"{band.cell_arcsec}arcsec"
    return {
        "imsize": r.choice([64, 64, 80, [96, 64], 75, [63, 80], [72, 45]]),
        "cell": r.choice([*[cell] * 8, [cell, f"{1.25 * band.cell_arcsec:.4g}arcsec"]]),
        "stokes": r.choice(stokes),
        "phasecenter": r.choice(["", "", 0, band.direction]),
    }


def _axis(seed: int, band: Band, data: dict[str, Params]) -> Params:
    """The spectral axis: start and width in every form, unit and frame."""
    r = _for(seed, "axis")
    specmode = r.choice(["cube"] * 12 + ["cubedata", "cubedata"] + ["mfs"] * 5 + ["cont"])
    if "cube" not in specmode:
        return {"specmode": specmode}
    outframe = r.choice(FRAMES)
    first = next(iter(data.values()))
    chosen = {
        "specmode": specmode,
        "outframe": outframe,
        "nchan": r.choice([-1, -1, 1, 3, 5, 9, 12]),
        "interpolation": r.choice(["linear"] * 4 + ["nearest", "nearest", "cubic"]),
    }
    form = r.choice(["all", "channels", "channels", "frequency", "frequency", "velocity", "velocity", "mixed"])
    if form == "channels":
        start = r.randint(0, 6)
        return {**chosen, "start": r.choice([start, str(start)]), "width": r.choice(["", 1, 1, 2, 3, -1, -2])}
    if form == "all":
        return chosen
    frame = (outframe or "LSRK") if specmode == "cube" else "TOPO"
    rest = band.start_hz + 4 * band.channel_hz
    low = band.start_hz + band.channel_hz * r.choice([0, 1, 3, r.uniform(-3, 8)])
    start_hz = in_frame(low, frame, first)
    width_hz = band.channel_hz * r.choice([1, 1, 1.01, 1.5, 2, 2.2, 3, 0.7]) * r.choice([1, 1, -1])
    if width_hz < 0 and chosen["nchan"] > 0:
        start_hz -= chosen["nchan"] * width_hz
    if form == "velocity":
        veltype = r.choice(["radio", "radio", "optical"])
        unit, per = r.choice([("km/s", 1.0), ("m/s", 1e3)])
        start_kms = LIGHT_KMS * (1 - start_hz / rest if veltype == "radio" else rest / start_hz - 1)
        texts = f"{per * start_kms:.6f}{unit}", f"{-per * LIGHT_KMS * width_hz / rest:.6f}{unit}"
        kept = r.choice([texts, texts, texts, (texts[0], ""), ("", texts[1])])
        return {**chosen, "restfreq": f"{rest:.1f}Hz", "veltype": veltype, "start": kept[0], "width": kept[1]}
    texts = _frequency(r, start_hz), _frequency(r, width_hz)
    if form == "mixed":
        refused = r.choice([(r.randint(0, 4), texts[1]), (texts[0], 2)])  # by tclean
        texts = r.choice([*[(texts[0], ""), ("", texts[1])] * 4, refused])
    return {**chosen, "start": texts[0], "width": texts[1]}


def in_frame(frequency_hz: float, frame: str, data: Params, time_s: float | None = None) -> float:
    """A TOPO frequency in a frame of CASA's, at a time (MJD, UTC) or on the day of an observation [Hz]."""
    measures = casa.load().measures()
    measures.doframe(measures.observatory(data["telescope"]))
    measures.doframe(measures.epoch("UTC", data["reference_time"] if time_s is None else f"{time_s}s"))
    name, ra, dec = data["direction"].split()
    measures.doframe(measures.direction(name, ra, dec))
    topo = measures.frequency("TOPO", f"{frequency_hz}Hz")
    found = float(measures.measure(topo, frame)["m0"]["value"])
    measures.done()
    return found


def _frequency(r: random.Random, value_hz: float) -> str:
    unit = r.choice(list(UNITS))
    return f"{value_hz / UNITS[unit]:.{r.choice([6, 9]) if unit != 'Hz' else 1}f}{unit}"


def _selection(seed: int, data: dict[str, Params]) -> Params:
    """Channels of the first data set's first spw with gaps, or one channel; else all is taken."""
    r = _for(seed, "selection")
    count, nspws = next((arguments["nchannels"][0], len(arguments["nchannels"])) for arguments in data.values())
    kind = r.choice(["all", "all", "all", "gap", "gaps", "single", "part"])
    if kind == "all" or count < 12:
        return {}
    a, gap = r.randint(1, 3), r.randint(2, 4)
    text = {
        "gap": f"0:{a}~{a + 3};{a + 3 + gap}~{count - 1}",
        "gaps": f"0:0~2;{2 + gap}~{4 + gap};{count - 2}~{count - 1}",
        "single": f"0:{a + 3}",
        "part": f"0:{a}~{count - 1 - a}",
    }[kind]
    text += "".join(f",{spw}" for spw in range(1, nspws))
    return {"spw": [text, *([""] * (len(data) - 1))] if len(data) > 1 else text}


def _gridding(seed: int, params: Params, data: dict[str, Params]) -> Params:
    r = _for(seed, "gridding")
    several = any(len(arguments["pointings"]) > 1 for arguments in data.values())
    kinds = ["standard"] * 10 + ["wproject", "widefield"]
    if _band(seed).mosaics:
        kinds = ["mosaic", "mosaic", "standard"] if several else [*kinds, "mosaic"]
    chosen = {"gridder": r.choice(kinds), "pblimit": r.choice([0.2, 0.2, -0.2, 0.05, -0.05])}
    if chosen["gridder"] in ("wproject", "widefield"):
        chosen["wprojplanes"] = r.choice([4, 8, -1])
    if chosen["gridder"] == "mosaic":  # which images neither odd sizes nor pseudoI
        sizes = params["imsize"] if isinstance(params["imsize"], list) else [params["imsize"]]
        chosen["imsize"] = [size + size % 2 for size in sizes]
        chosen["stokes"] = "I" if params["stokes"] == "pseudoI" else params["stokes"]
    return chosen


def _weighting(seed: int, params: Params, band: Band) -> Params:
    r = _for(seed, "weighting")
    kinds = ["natural", "natural", "uniform", "briggs", "briggs", "briggs", "briggsabs", "superuniform", "radial"]
    if "cube" in params["specmode"]:
        kinds += ["briggsbwtaper", "briggsbwtaper"]
    kind = r.choice(kinds)
    chosen: Params = {"weighting": kind, "perchanweightdensity": kind == "briggsbwtaper" or r.random() < 0.6}
    if "briggs" in kind:
        chosen["robust"] = r.choice([0.5, 0.0, -1.0, 2.0])
    if kind == "briggsabs":
        chosen["noise"] = r.choice(["0.1Jy", "5Jy"])
    if kind in ("uniform", "briggs", "superuniform"):
        chosen["npixels"] = r.choice([0, 0, 0, 2, 4])
    beam = 4 * band.cell_arcsec
    half = 2 * math.log(2) / math.pi / (beam * ARCSEC) / 1e3  # where the taper of such a beam is one half
    taper = [f"{beam:.3g}arcsec"], [f"{beam:.3g}arcsec", f"{beam / 2:.3g}arcsec", "30deg"], [f"{half:.3g}klambda"]
    chosen["uvtaper"] = r.choice([[], [], [], [], [], [], *taper])
    return chosen


def _cleaning(seed: int, params: Params) -> Params:
    r = _for(seed, "cleaning")
    is_cube = "cube" in params["specmode"]
    chosen: Params = {
        "niter": r.choice([0, 40, 80, 80, 200]),
        "gain": 0.2,
        "cycleniter": r.choice([20, 40]),
        "nmajor": 2,
        "restoringbeam": r.choice(["", "", "", "common"]),
        "pbcor": r.random() < 0.2,
    }
    kind = r.choice(["hogbom", "hogbom", "hogbom", "clark", "multiscale", "hogbom" if is_cube else "mtmfs"])
    chosen["deconvolver"] = kind
    if kind == "multiscale":
        chosen["scales"] = [0, 4]
    if kind == "mtmfs":
        chosen["nterms"] = 2
    sizes = params["imsize"] if isinstance(params["imsize"], list) else [params["imsize"]]
    x, y = sizes[0], sizes[-1]
    box = f"box[[{x // 4}pix,{y // 4}pix],[{3 * x // 4}pix,{2 * y // 3}pix]]"
    masks = [{}, {}, {}, {"mask": box}, {"usemask": "pb", "pbmask": 0.3}]
    masks += [{"usemask": "auto-multithresh", "minbeamfrac": 0.1}] if params["stokes"] != "pseudoI" else []
    return chosen | r.choice(masks)


def _outlier(seed: int, params: Params, band: Band) -> dict[str, str]:
    """The outlier file that a case in sixteen has: name -> content."""
    r = _for(seed, "outlier")
    if r.random() > 1 / 16 or params["gridder"] == "mosaic":
        return {}
    name, ra, dec = band.direction.split()
    declination = float(dec.split("d")[0]) + 80 * band.cell_arcsec / 3600
    text = f"imagename=outlier\nimsize=32\ncell={band.cell_arcsec}arcsec\n"
    text += f"phasecenter={name} {ra} {declination:.6f}deg\n"
    if "cube" in params["specmode"]:
        text += f"specmode={params['specmode']}\n"
        text += "".join(f"{key}={params[key]}\n" for key in ("nchan", "start", "width") if params.get(key, "") != "")
    return {"outliers.txt": text}
