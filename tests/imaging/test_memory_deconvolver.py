"""The deconvolver in memory does on the same images what CASA's does: iterations, stop codes, model, summary, image."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import Deconvolver, PcleanConfig, SerialImager, report
from pcleantask.images import planes
from pcleantask.images.pixels import read_channels, write_channels
from pcleantask.images.store import ImageStore
from pcleantask.imaging.masking import make_mask, mask_decpars
from pcleantask.imaging.memory_deconvolver import MemoryDeconvolver
from pcleantask.imaging.multiterm_deconvolver import MultiTermMemoryDeconvolver
from pcleantask.toolrecords import Record, to_casa_decpars
from tests.agreement.cases import AUTO, CRTF, CUBE, MFS
from tests.agreement.compare import differences, products, read_image

Parameters = dict[str, Any]

SMALL_CUBE = {**CUBE, "nchan": 3, "start": "230.002GHz"}
NOISY = {**SMALL_CUBE, "vis": "noisy.ms", "start": "229.999GHz", "nchan": 5}
NOISY_MFS = {**MFS, "vis": "noisy.ms"}
IQUV = {**MFS, "vis": "full_stokes.ms", "stokes": "IQUV"}
IQUV_CUBE = {**SMALL_CUBE, "vis": "full_stokes.ms", "stokes": "IQUV", "start": "229.998GHz"}
ABSORPTION = {**SMALL_CUBE, "vis": "noisy.ms", "start": "230.003GHz", "nchan": 4}
CLARK = {"deconvolver": "clark"}
SCALES = {"deconvolver": "multiscale", "scales": [0, 4, 10]}
TERMS = {"deconvolver": "mtmfs", "nterms": 2}
MFS_TERMS = {**MFS, **TERMS}
IQUV_TERMS = {**IQUV, **TERMS}
CENTRE = "circle[[50pix,50pix],6pix]"

# Of the model's or image's peak: CASA's FFTs, in Clark's residual and in restoration, are in single precision.
TOLERANCE = 1e-5
POOR = 1e-3  # where the inverse of a Hessian has entries of a million
STOP_CODE = report.FULL_ROWS.index("stopCode")


@dataclass(frozen=True)
class Case:
    """Images, what is asked of the deconvolver, the controls of its minor cycles, and stop codes that must occur."""

    base: Parameters
    asked: Parameters = field(default_factory=dict)
    controls: tuple[Parameters, ...] = ({"cycleniter": 10, "cyclethreshold": 0.1}, {"cyclethreshold": 0.1})
    codes: tuple[int, ...] = (1, 2)
    tolerance: float = TOLERANCE


CASES = {
    "mfs": Case(MFS),
    "mfs-clark": Case(MFS, CLARK),
    "cube": Case(SMALL_CUBE),
    "cube-clark": Case(SMALL_CUBE, CLARK),
    "cube-high-gain": Case(
        SMALL_CUBE, {}, ({"cycleniter": 20, "cyclethreshold": 0.02, "loopgain": 0.6},) * 2, (1, 2, 4)
    ),
    "cube-clark-high-gain": Case(SMALL_CUBE, CLARK, ({"cycleniter": 20, "cyclethreshold": 0.02, "loopgain": 0.6},) * 2),
    "diverging": Case(MFS, controls=({"cycleniter": 20, "loopgain": 2.5},), codes=(4,)),
    "thousands-of-iterations": Case(MFS, {"mask": CENTRE}, ({"cycleniter": 6000, "cyclethreshold": 0.0},), codes=(1,)),
    "mask": Case(MFS, {"mask": CENTRE}),
    "mask-clark": Case(MFS, {"mask": CENTRE, **CLARK}),
    "mask-in-one-channel": Case(SMALL_CUBE, {"mask": CENTRE[:-1] + "], range=[1chan,1chan]"}),
    "cube-mask-file": Case(SMALL_CUBE, {"mask": "region.crtf"}),
    "pbmask": Case(MFS, {"usemask": "pb", "pbmask": 0.7}),
    "automask": Case(NOISY, AUTO),
    "automask-clark": Case(NOISY, {**AUTO, **CLARK}),
    "absorption": Case(ABSORPTION),
    "nsigma": Case(NOISY, {"nsigma": 5.0}, ({"cyclethreshold": 0.01},) * 2, codes=(6,)),
    "nsigma-slow-noise": Case(NOISY, {"nsigma": 5.0, "fastnoise": False}, ({"cyclethreshold": 0.01},) * 2, codes=(0,)),
    "nsigma-slow-noise-mask": Case(
        NOISY, {"nsigma": 5.0, "fastnoise": False, "mask": CENTRE}, ({"cyclethreshold": 0.01},) * 2, codes=(3, 6)
    ),
    "nsigma-mfs": Case(NOISY_MFS, {"nsigma": 4.0}, ({"cyclethreshold": 0.001},) * 2, codes=(6,)),
    "nsigma-clark": Case(NOISY, {"nsigma": 5.0, **CLARK}, ({"cyclethreshold": 0.01},), codes=(6,)),
    "iquv": Case(IQUV),
    "iquv-clark": Case(IQUV, CLARK),
    "iquv-clarkstokes": Case(IQUV, {"deconvolver": "clarkstokes"}),
    "iquv-nsigma": Case(IQUV, {"nsigma": 3.0}, ({"cyclethreshold": 0.001},) * 2, codes=(3, 6)),
    "iq-clark": Case({**IQUV, "stokes": "IQ"}, CLARK, ({"cyclethreshold": 0.02},) * 2, codes=(1,)),
    "iquv-cube": Case(IQUV_CUBE),
    "iquv-cube-clark": Case(IQUV_CUBE, CLARK),
    "iquv-cube-nsigma": Case(IQUV_CUBE, {"nsigma": 3.0}, ({"cyclethreshold": 0.001},) * 2, codes=(1, 6)),
    "mfs-multiscale": Case(MFS, SCALES),
    "mfs-multiscale-points": Case(MFS, {"deconvolver": "multiscale"}),
    "mfs-multiscale-one-scale": Case(MFS, {**SCALES, "scales": [3]}, ({"cycleniter": 10},) * 2, (1,)),
    "cube-multiscale": Case(SMALL_CUBE, SCALES),
    "cube-multiscale-bias": Case(SMALL_CUBE, {**SCALES, "scales": [8, 0, 3], "smallscalebias": 0.4}),
    "cube-multiscale-no-bias": Case(SMALL_CUBE, {**SCALES, "smallscalebias": -0.7}, codes=(1, 2, 5)),
    "mask-multiscale": Case(MFS, {**SCALES, "mask": CENTRE}),
    "automask-multiscale": Case(NOISY, {**AUTO, **SCALES}),
    "nsigma-multiscale": Case(NOISY, {"nsigma": 5.0, **SCALES}, ({"cyclethreshold": 0.01},) * 2, codes=(5, 6)),
    "iquv-cube-multiscale": Case(IQUV_CUBE, {**SCALES, "scales": [0, 6]}, codes=(1, 2, 5)),
    "terms": Case(MFS_TERMS),
    "terms-scales": Case(MFS_TERMS, {"scales": [0, 4, 10]}),
    "terms-bias": Case(MFS_TERMS, {"scales": [8, 0, 3], "smallscalebias": 0.4}),
    "terms-one": Case({**MFS_TERMS, "nterms": 1}),
    "terms-three": Case({**MFS_TERMS, "nterms": 3}, tolerance=POOR),
    "terms-mask": Case(MFS_TERMS, {"mask": CENTRE}),
    "terms-pbmask": Case(MFS_TERMS, {"usemask": "pb", "pbmask": 0.7, "scales": [0, 5]}),
    "terms-thousands": Case(
        MFS_TERMS, {}, ({"cycleniter": 6000, "cyclethreshold": 0.0, "loopgain": 0.001},), (4,), 1e-4
    ),
    "terms-diverging": Case(MFS_TERMS, controls=({"cycleniter": 20, "loopgain": 2.5},), codes=(4,)),
    "terms-nsigma": Case({**NOISY_MFS, **TERMS}, {"nsigma": 4.0}, ({"cyclethreshold": 0.001},) * 2, codes=(6,)),
    "terms-automask": Case({**NOISY_MFS, **TERMS}, AUTO, codes=(2,), tolerance=POOR),
    "terms-iquv": Case(IQUV_TERMS, codes=(1, 2, 5)),
    "terms-round-beam": Case(MFS_TERMS, {"restoringbeam": "2arcsec"}),
    "common-beam": Case(NOISY, {"restoringbeam": "common"}),
    "round-beam": Case(SMALL_CUBE, {"restoringbeam": "2arcsec"}),
    "elliptical-beam": Case(SMALL_CUBE, {"restoringbeam": ["2.2arcsec", "1.8arcsec", "30deg"]}),
    "beam-smaller-than-the-psf": Case(MFS, {"restoringbeam": "0.9arcsec"}),
}
# Rows whose kind others have, of minor cycles that take long here.
LONG = {
    *("mfs-multiscale-points", "mfs-multiscale-one-scale", "cube-multiscale", "cube-multiscale-no-bias"),
    *(
        "automask-multiscale",
        "nsigma-multiscale",
        "terms",
        "terms-bias",
        "terms-one",
        "terms-pbmask",
        "terms-thousands",
    ),
}
CONTROLS = {
    "cycleniter": 100, "cyclethreshold": 0.05, "loopgain": 0.1, "thresholdreached": False,
    "summaryrows": len(report.FULL_ROWS),
}  # fmt: skip


@pytest.fixture(scope="module")
def dirty(session_dir: Path, dataset: Callable[[str], Path]) -> Callable[[Parameters], Path]:
    """dirty(base) is the folder with the dirty images of these parameters, made when first asked for."""
    made: list[tuple[Parameters, Path]] = []

    def make(base: Parameters) -> Path:
        for parameters, folder in made:
            if parameters == base:
                return folder
        folder = session_dir / f"dirty{len(made)}"
        folder.mkdir()
        vis = str(dataset(base["vis"].removesuffix(".ms")))
        asked = {**base, "vis": vis, "niter": 0, "restoration": False, "imagename": str(folder / "img")}
        with SerialImager(PcleanConfig.from_parameters(**asked)) as imager:
            imager.run()
        made.append((base, folder))
        return folder

    return make


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders for CASA and for us; the working directory has the region file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "region.crtf").write_text(CRTF)
    return tmp_path / "theirs", tmp_path / "ours"


class Side:
    """A deconvolver with its mask in a folder of its own."""

    def __init__(
        self, folder: Path, source: Path, case: Case, dataset: Callable[[str], Path], *, in_memory: bool,
        keeps: bool = True,
    ) -> None:  # fmt: skip
        shutil.copytree(source, folder)
        self.name = str(folder / "img")
        vis = str(dataset(case.base["vis"].removesuffix(".ms")))
        asked = {**case.base, "fullsummary": True, "pbcor": True, **case.asked, "vis": vis, "imagename": "img"}
        config = PcleanConfig.from_parameters(**asked)
        entry = config.fields[0]
        self.nsigma = config.iteration.nsigma
        decpars = mask_decpars(config, entry, to_casa_decpars(config, entry, self.name, 0))
        self.store = ImageStore(keeps=keeps and in_memory)
        self.cleaner: Any = (
            (MultiTermMemoryDeconvolver if entry.multiterm else MemoryDeconvolver)(
                self.name, decpars, keeps_residual=True, store=self.store
            )
            if in_memory
            else Deconvolver(self.name, decpars)
        )
        self.mask = make_mask(config, entry, self.cleaner, self.store)
        self.iterations = 0

    def cycle(self, controls: Parameters) -> list[Record]:
        """The records before and after the mask, and of a minor cycle."""
        records = [self.cleaner.init_record()]
        self.mask.update(iterations=self.iterations, threshold_reached=False)
        records.append(self.cleaner.init_record())
        records.append(self.cleaner.minor_cycle({**CONTROLS, "nsigma": self.nsigma, **controls}))
        self.iterations += int(records[-1]["iterdone"])
        self.store.flush()
        return records


def test_table_of_cases_reaches_all_stop_codes_of_planes() -> None:
    assert {0, 1, 2, 4, 6} <= {code for case in CASES.values() for code in case.codes}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name, marks=[pytest.mark.long] * (name in LONG)) for name, case in CASES.items()]
)
def test_minor_cycles_and_restoration_are_those_of_casa(
    dirty: Callable[[Parameters], Path], folders: tuple[Path, Path], dataset: Callable[[str], Path], case: Case
) -> None:
    theirs, ours = (
        Side(folder, dirty(case.base), case, dataset, in_memory=number == 1) for number, folder in enumerate(folders)
    )
    codes: set[int] = set()
    for controls in case.controls:
        for suffix in suffixes_of(folders[0], ".residual"):
            replace(folders, suffix)
        expected, found = theirs.cycle(controls), ours.cycle(controls)
        lines = record_differences(expected, found, case.tolerance)
        assert not lines, lines
        codes |= set(np.asarray(found[-1]["summaryminor"])[STOP_CODE].astype(int))
    for side in (theirs, ours):
        side.cleaner.check_beam()
        side.cleaner.restore()
        side.cleaner.pbcor()
        side.cleaner.close()
    lines = compare_within(folders, {}, case.tolerance)
    assert not lines, "\n".join(lines)
    assert {int(code) for code in codes} == set(case.codes)
    model = suffixes_of(folders[1], ".model")[0]
    assert read_image(folders[1] / f"img{model}").pixels.any() != (codes == {0})


@pytest.mark.parametrize("asked", [{}, CLARK, SCALES, {**SCALES, "scales": []}, TERMS, {**TERMS, "scales": [0, 5, 9]}])
def test_memory_is_reckoned_as_casa_does(
    dirty: Callable[[Parameters], Path], folders: tuple[Path, Path], dataset: Callable[[str], Path], asked: Parameters
) -> None:
    base = MFS_TERMS if "nterms" in asked else MFS
    theirs, ours = (
        Side(folder, dirty(base), Case(base, asked), dataset, in_memory=number == 1)
        for number, folder in enumerate(folders)
    )
    assert ours.cleaner.estimate_memory((100, 90)) == theirs.cleaner.estimate_memory((100, 90)) > 0
    for side in (theirs, ours):
        side.cleaner.close()


@pytest.mark.parametrize("name", ["cube", "automask", "iquv-cube-clark", "nsigma", "cube-multiscale"])
def test_planes_that_do_not_fit_into_memory_are_read_one_by_one(
    dirty: Callable[[Parameters], Path], folders: tuple[Path, Path], dataset: Callable[[str], Path], name: str
) -> None:
    case = CASES[name]
    kept = Side(folders[0], dirty(case.base), case, dataset, in_memory=True)
    expected = [kept.cycle(controls) for controls in case.controls]
    unkept = Side(folders[1], dirty(case.base), case, dataset, in_memory=True, keeps=False)
    found = [unkept.cycle(controls) for controls in case.controls]
    residuals = [side.store.image(side.name + ".residual") for side in (kept, unkept)]
    assert [image.keeps for image in residuals] == [True, False]
    assert list(differences(expected, found)) == []
    for side in (kept, unkept):
        side.cleaner.restore()
        side.cleaner.pbcor()
        side.cleaner.close()
    assert compare_within(folders, dict.fromkeys((".model", ".residual", ".image", ".image.pbcor"), 0.0)) == []


def replace(folders: tuple[Path, Path], suffix: str) -> None:
    """Give our side the image of theirs, as a major cycle would make the same of both models."""
    theirs, ours = (str(folder / f"img{suffix}") for folder in folders)
    write_channels(ours, read_channels(theirs, 0, planes.image_geometry(theirs).shape[3]))


def suffixes_of(folder: Path, kind: str) -> list[str]:
    """Those of the images of a kind: one for each Taylor term."""
    return [suffix for suffix in products(folder, "img") if re.fullmatch(rf"{re.escape(kind)}(\.tt\d+)?", suffix)]


def record_differences(expected: Sequence[Record], found: Sequence[Record], tolerance: float) -> list[str]:
    """Where records differ: integers and thresholds by ==, what rests on pixel values within the tolerance."""
    lines = []
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        # before a minor cycle CASA's summary is empty, and ours isn't there
        one = {key: value for key, value in one.items() if key != "summaryminor" or np.size(value)}
        if one.keys() != other.keys():
            lines.append(f"{number}: keys {sorted(one)} expected, {sorted(other)} found")
            continue
        for key, value in one.items():
            if isinstance(value, float | np.ndarray):
                matrix, ours = np.asarray(value, float), np.asarray(other[key], float)
                scale = np.maximum(1e-3, np.abs(matrix))
                if matrix.shape != ours.shape or (np.abs(matrix - ours) > tolerance * scale).any():
                    lines.append(f"{number} {key}: {value!r} expected, {other[key]!r} found")
            else:
                lines += differences(value, other[key], f"{number} {key}")
    return lines


def compare_within(folders: tuple[Path, Path], tolerances: dict[str, float], tolerance: float = TOLERANCE) -> list[str]:
    """How the products differ: pixels within a tolerance relative to the peak, all else by ==."""
    theirs, ours = (products(folder, "img") for folder in folders)
    ignored = (".workdirectory", ".work.temp")
    lines = [f"{suffix}: on one side only" for suffix in theirs.keys() ^ ours.keys() if suffix not in ignored]
    for suffix in sorted(theirs.keys() & ours.keys()):
        if not planes.is_image(str(theirs[suffix])):
            continue
        one, other = read_image(theirs[suffix]), read_image(ours[suffix])
        allowed = tolerances.get(suffix, tolerance) * np.abs(one.pixels).max()
        worst = np.abs(one.pixels - other.pixels).max()
        if worst > allowed:
            lines.append(f"{suffix}: pixels differ by {worst:.3g}, allowed {allowed:.3g}")
        if not np.array_equal(one.good, other.good):
            lines.append(f"{suffix}: pixel masks differ")
        for entry in (one, other):
            entry.description["miscinfo"].pop("useweightimage", None)  # which CASA's .model has or not
        lines += [f"{suffix}: {line}" for line in differences(one.description, other.description)]
    return lines
