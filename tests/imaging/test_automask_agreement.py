"""The masks of automask.py are those of CASA's synthesisdeconvolver, pixel by pixel, cycle after cycle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from pcleantask import casa
from pcleantask.images import planes
from pcleantask.imaging import beam as beams
from pcleantask.imaging.automask import AutoMaskConfig, AutoMaskState, BeamInfo, automask_channel, robust_rms

CELL = 0.5 * beams.ARCSEC
# Share of pixels that may lie on the cut to within the rounding of CASA's float FFT: 1 of 6.7 million was seen to.
CHANCE = 2e-7
TASK = AutoMaskConfig(growiterations=75, minpercentchange=-1.0)  # the task's defaults


@dataclass(frozen=True)
class Case:
    """One run of a few cycles; `change` goes into AutoMaskConfig over the task's defaults."""

    kind: str = "mix"
    change: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, int, int, int] = (96, 80, 1, 2)
    beam: tuple[float, float, float] = (5.0, 3.0, 35.0)  # FWHM [pixels], PA [deg]
    east: int = -1  # sign of the pixel size in x
    pb: bool = False
    pbmask: float = 0.0
    reached: bool = False
    nsigma: float = 0.0
    old_mask: bool = False
    cycles: int = 3

    @property
    def config(self) -> AutoMaskConfig:
        return replace(TASK, **self.change)

    @property
    def cell(self) -> tuple[float, float]:
        return self.east * CELL, CELL

    def beam_of(self, chan: int) -> tuple[float, float, float]:
        """Beam of a channel, FWHM [CELL] and PA [deg]: it shrinks and turns along the cube."""
        return self.beam[0] * (1 - 0.01 * chan), self.beam[1] * (1 - 0.008 * chan), self.beam[2] + 0.5 * chan


def _sources(case: Case, chan: int, rng: np.random.Generator) -> np.ndarray:
    nx, ny = case.shape[:2]
    sky = np.zeros((nx, ny))
    at = {
        "line": [(0.5, 0.5, 30 * (1 + chan))],
        "noise": [],
        "negative": [(0.3, 0.4, -40), (0.7, 0.6, 25)],
        "mix": [(0.3, 0.5, 60), (0.72, 0.3, 18), (0.6, 0.75, -30), (0.15, 0.8, 9)],
        "edge": [(0.0, 0.0, 60), (0.99, 0.5, 40), (0.5, 0.99, 50)],
        "extended": [(*rng.uniform(0.2, 0.8, 2), 12) for _ in range(25)],
    }[case.kind]
    for x, y, flux in at:
        sky[int(x * (nx - 1)), int(y * (ny - 1))] += flux
    return sky


def _residual(case: Case, cycle: int) -> np.ndarray:
    """Residual of a cycle, float32 [nx, ny, npol, nchan]: sources that fade in noise that hardly changes."""
    rng = np.random.default_rng(7)
    data = np.zeros(case.shape, np.float32)
    for chan in range(case.shape[3]):
        for pol in range(case.shape[2]):
            fresh = np.random.default_rng(100 * cycle + chan).normal(0, 0.3, case.shape[:2])
            smooth = ndimage.gaussian_filter(rng.normal(0, 1, case.shape[:2]) + fresh, 0.8)
            sources = ndimage.gaussian_filter(_sources(case, chan, rng), 2.0 if case.kind != "extended" else 4.0)
            data[:, :, pol, chan] = smooth / smooth.std() + sources / (pol + 1) * 25 * 0.6**cycle
    return data


def _psf(case: Case) -> np.ndarray:
    psf = np.zeros(case.shape, np.float32)
    rng = np.random.default_rng(3)
    centre = (case.shape[0] // 2, case.shape[1] // 2)
    for chan in range(case.shape[3]):
        major, minor, pa = case.beam_of(chan)
        beam = beams.Beam(major * CELL, minor * CELL, pa * beams.DEGREE)
        gauss = beams.gaussian_psf(case.shape[:2], beam, centre, case.cell)
        lobes = ndimage.gaussian_filter(rng.normal(0, 0.03, case.shape[:2]), 1.0).astype(np.float32)
        lobes[centre] = 0
        psf[:, :, :, chan] = (gauss + lobes)[:, :, None]
    return psf


def _primary_beam(case: Case) -> np.ndarray:
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in case.shape[:2]), indexing="ij")
    return np.broadcast_to(np.exp(-1.9 * (x * x + y * y))[:, :, None, None], case.shape).astype(np.float32)


class CasaRun:
    """Images of a case in the current folder, and CASA's deconvolver at work on them."""

    def __init__(self, case: Case) -> None:
        self.case = case
        images = {"psf": _psf(case), "residual": _residual(case, 0), "mask": np.zeros(case.shape, np.float32)}
        images["model"] = images["mask"]
        images["sumwt"] = np.ones((1, 1, *case.shape[2:]), np.float32)
        if case.old_mask:
            images["mask"] = np.zeros(case.shape, np.float32)
            images["mask"][10:30, 12:40] = 1
        if case.pb:
            images["pb"] = _primary_beam(case)
        csys = self._coordinates()
        for suffix, pixels in images.items():
            with casa.tool("image") as image:
                image.fromshape(f"x.{suffix}", list(pixels.shape), csys=csys, overwrite=True)
                image.putchunk(pixels)
        with casa.tool("image") as image:
            image.open("x.psf")
            for chan in range(case.shape[3]):
                for pol in range(case.shape[2]):
                    major, minor, pa = case.beam_of(chan)
                    axes = [f"{np.float32(width * CELL / beams.ARCSEC)}arcsec" for width in (major, minor)]
                    image.setrestoringbeam(major=axes[0], minor=axes[1], pa=f"{pa}deg", channel=chan, polarization=pol)
        self._mask_edge()
        self.tool = casa.load().synthesisdeconvolver()
        self.tool.setupdeconvolution(decpars=self._parameters())
        self.tool.initminorcycle()

    def _coordinates(self) -> dict:
        with casa.tool("image") as image:
            image.fromshape("", list(self.case.shape))
            csys = image.coordsys()
            csys.setunits(["rad", "rad", "", "Hz"])
            csys.setincrement(list(self.case.cell), "direction")
            record = csys.torecord()
            csys.done()
        return record

    def _mask_edge(self) -> None:
        """Residual and primary beam are masked where the primary beam is low, as in tclean."""
        for suffix in ("residual", "pb") if self.case.pb else ():
            with casa.tool("image") as image:
                image.open(f"x.{suffix}")
                image.calcmask('"x.pb" > 0.2', name="mask0")

    def _parameters(self) -> dict:
        case = self.case
        return {
            **vars(case.config), "imagename": "x", "id": 0, "deconvolver": "hogbom", "startmodel": "",
            "usemask": "auto-multithresh", "mask": "", "pbmask": case.pbmask, "nsigma": case.nsigma,
            "verbose": False, "interactive": False, "scales": [], "restoringbeam": [], "noRequireSumwt": False,
        }  # fmt: skip

    def iterate(self) -> int:
        """A short minor cycle; the number of its iterations."""
        controls = {
            "cycleniter": 3, "cyclethreshold": 1e-3, "threshold": 1e-3 if self.case.reached else 1e-4,
            "thresholdreached": self.case.reached, "loopgain": 0.1, "nsigma": 0.0, "psffraction": 0.1,
        }  # fmt: skip
        return int(self.tool.executeminorcycle(iterbotrecord=controls)["iterdone"])

    def inject(self, cycle: int) -> None:
        with casa.tool("image") as image:
            image.open("x.residual")
            image.putchunk(_residual(self.case, cycle))

    def mask(self) -> np.ndarray:
        """CASA's next mask, [nx, ny, npol, nchan]; in the task's order, as initminorcycle forgets the iterations."""
        self.tool.setupmask()
        self.tool.initminorcycle()
        with casa.tool("image") as image:
            image.open("x.mask")
            return image.getchunk()


class NumpyRun:
    """The same with automask.py, from the same images on disk."""

    def __init__(self, case: Case) -> None:
        self.case = case
        nx, ny, npol, nchan = case.shape
        geometry = planes.image_geometry("x.psf")
        table = planes.beams("x.psf")
        pairs = [(pol, chan) for pol in range(npol) for chan in range(nchan)]
        level = beams.sidelobe_level(
            (planes.read_plane("x.psf", *pair) for pair in pairs),
            (beams.Beam(*table[chan][pol]) for pol, chan in pairs),
            geometry.reference_pixel,
            geometry.cell,
        )
        self.blocks = beams.mask_blocks(nx, ny, nchan)
        self.infos = []
        for start, stop in self.blocks:
            block = [beams.Beam(*table[chan][pol]) for pol, chan in pairs if start <= chan < stop]
            common = beams.common_beam(block)
            cell = geometry.cell
            self.infos.append(BeamInfo(common.area_pix(cell), level, common.sigma_pix(cell), common.pa_pix(cell)))
        self.states = [[AutoMaskState() for _ in range(npol)] for _ in range(nchan)]
        for chan, pol in np.ndindex(nchan, npol):
            self.states[chan][pol].prevmask = planes.read_plane("x.mask", pol, chan) > 0

    def mask(self, iterdone: int, reached: bool) -> np.ndarray:
        result = np.zeros(self.case.shape)
        for (start, stop), info in zip(self.blocks, self.infos, strict=True):
            for chan in range(start, stop):
                result[:, :, :, chan] = np.stack(self._channel(chan, info, iterdone, reached), axis=2)
        return result

    def _channel(self, chan: int, info: BeamInfo, iterdone: int, reached: bool) -> list[np.ndarray]:
        case, pols = self.case, range(self.case.shape[2])
        residuals = [planes.read_plane("x.residual", pol, chan) for pol in pols]
        valids = [planes.read_pixel_mask("x.residual", pol, chan) for pol in pols] if case.pb else None
        pbs = [planes.read_plane("x.pb", pol, chan) for pol in pols] if case.pb else None
        statistics = None
        if case.nsigma > 0 and iterdone == 0 and case.shape[3] == 1:
            assert pbs is not None
            masks = [state.prevmask for state in self.states[chan]]
            statistics = [
                robust_rms(residuals[pol], pbs[pol] > case.pbmask, case.config.fastnoise, masks[pol]) for pol in pols
            ]
        return automask_channel(
            residuals, info, case.config, self.states[chan], pbs=pbs, valids=valids, pbmask=case.pbmask,
            iterdone=iterdone, threshold_reached=reached, statistics=statistics, cell_sign=case.east,
        )  # fmt: skip


@dataclass
class Tally:
    planes: int = 0
    identical: int = 0
    pixels: int = 0
    different: int = 0
    masked: int = 0


def _compare(case: Case) -> Tally:
    """Run both for the cycles of a case and count planes and pixels."""
    tally = Tally()
    theirs = CasaRun(case)
    ours = NumpyRun(case)
    iterdone, reached = 0, False
    for cycle in range(case.cycles):
        expected, found = theirs.mask(), ours.mask(iterdone, reached)
        assert set(np.unique(expected)) <= {0.0, 1.0}
        wrong = expected != found
        tally.planes += wrong.shape[2] * wrong.shape[3]
        tally.identical += int((~wrong.any(axis=(0, 1))).sum())
        tally.pixels += wrong.size
        tally.different += int(wrong.sum())
        tally.masked += int(expected.sum())
        iterations = theirs.iterate()
        if not iterations:
            break  # so does tclean
        iterdone, reached = iterdone + iterations, case.reached
        theirs.inject(cycle + 1)
    theirs.tool.done()
    return tally


CASES = {
    "defaults": Case(),
    "one channel": Case(shape=(96, 80, 1, 1)),
    "three channels, noise outside the mask": Case(kind="line", change={"fastnoise": False}, shape=(80, 96, 1, 3)),
    "noise outside the mask, primary beam": Case(change={"fastnoise": False}, pb=True),
    "negatives": Case(kind="negative", change={"negativethreshold": 5.0}),
    "at the edges": Case(kind="edge", beam=(7.0, 4.0, -60.0)),
    "no pruning, primary beam": Case(change={"minbeamfrac": 0.0}, pb=True),
    "pbmask": Case(pb=True, pbmask=0.4),
    "threshold reached": Case(kind="extended", change={"minpercentchange": 5.0}, reached=True, cycles=4),
    "elongated beam": Case(kind="extended", beam=(11.0, 4.0, 70.0), change={"lownoisethreshold": 1.0}),
    "two polarisations": Case(shape=(80, 80, 2, 2)),
    "user's mask": Case(old_mask=True, change={"fastnoise": False}),
    "nsigma, one channel": Case(shape=(96, 80, 1, 1), pb=True, nsigma=3.0),
}
LONG_CHANGES = {
    "half smooth": {"smoothfactor": 0.5}, "double smooth": {"smoothfactor": 2.0}, "small beams": {"minbeamfrac": 0.1},
    "large beams": {"minbeamfrac": 1.5, "sidelobethreshold": 1.0},
    "all beams": {"minbeamfrac": 0.0, "negativethreshold": 4.0},
    "low cut": {"cutthreshold": 0.001}, "high cut": {"cutthreshold": 0.2}, "half cut": {"cutthreshold": 0.5},
    "no growth": {"growiterations": 0}, "one step": {"growiterations": 1}, "five steps": {"growiterations": 5},
    "grown unpruned": {"dogrowprune": False}, "deep growth": {"lownoisethreshold": 1.0},
    "shallow growth": {"lownoisethreshold": 3.0},
    "slow": {"fastnoise": False}, "slow negative": {"fastnoise": False, "negativethreshold": 7.0},
    "alma": {"sidelobethreshold": 2.0, "noisethreshold": 4.25, "negativethreshold": 15.0, "fastnoise": False},
}  # fmt: skip
LONG_SETTINGS = {
    "mix": {}, "extended, pb": {"kind": "extended", "pb": True},
    "negative": {"kind": "negative", "shape": (72, 101, 1, 1)},
    "edge, pbmask": {"kind": "edge", "pb": True, "pbmask": 0.1, "shape": (90, 90, 1, 3), "beam": (9.0, 3.5, 120.0)},
    "line, noise": {"kind": "line", "beam": (3.2, 3.0, 0.0), "shape": (128, 64, 1, 2)},
}  # fmt: skip
LONG = {
    f"{what}; {where}": Case(change=change, **setting)  # type: ignore[arg-type]
    for what, change in LONG_CHANGES.items()
    for where, setting in LONG_SETTINGS.items()
}
LONG |= {
    f"minpercentchange {percent}, {kind}, fastnoise {fast}": Case(
        kind=kind, change={"minpercentchange": percent, "fastnoise": fast}, reached=True, cycles=4, pb=fast
    )
    for percent in (0.0, 1.0, 50.0)
    for kind in ("mix", "extended", "line")
    for fast in (True, False)
}
LONG |= {
    "four polarisations": Case(
        shape=(64, 64, 4, 3), change={"fastnoise": False, "minpercentchange": 2.0}, reached=True
    ),
    "two polarisations, pbmask": Case(shape=(64, 72, 2, 2), pb=True, pbmask=0.3),
    "two polarisations, one channel": Case(shape=(64, 72, 2, 1), change={"negativethreshold": 4.0}),
    "x to the east": Case(east=1, beam=(9.0, 4.0, 50.0)),
    "two blocks": Case(shape=(900, 900, 1, 12), kind="extended", cycles=2),
    "wide beam": Case(beam=(30.0, 12.0, 20.0), shape=(160, 140, 1, 2), change={"minbeamfrac": 0.02}),
    "large beams; edge, pbmask": Case(
        kind="edge", shape=(90, 90, 1, 3), beam=(4.0, 2.5, 120.0), pb=True, pbmask=0.1, change={"minbeamfrac": 1.5}
    ),
    "large": Case(shape=(700, 512, 1, 1), pb=True, change={"fastnoise": False, "sidelobethreshold": 1.0}),
    "nsigma, slow": Case(shape=(96, 80, 1, 1), pb=True, nsigma=3.0, change={"fastnoise": False}),
    "nsigma, cube": Case(pb=True, nsigma=3.0, change={"fastnoise": False}),
}


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    casa.load()


@pytest.mark.parametrize("name", CASES)
def test_masks_equal_those_of_casa(name: str) -> None:
    tally = _compare(CASES[name])
    assert tally.masked > 0
    assert tally.planes >= 2
    assert tally.identical == tally.planes


@pytest.mark.long
@pytest.mark.parametrize("name", LONG)
def test_masks_equal_those_of_casa_in_every_configuration(name: str) -> None:
    tally = _compare(LONG[name])
    assert tally.masked > 0
    assert tally.different <= CHANCE * tally.pixels


def test_noise_gives_an_empty_mask_as_in_casa() -> None:
    tally = _compare(Case(kind="noise", change={"sidelobethreshold": 5.0}))
    assert tally.masked == 0
    assert tally.identical == tally.planes
