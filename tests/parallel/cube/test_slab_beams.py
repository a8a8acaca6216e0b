"""Parallel cubes have tclean's beams where channels lack data or have few, and its primary beams in all bands.

Draws are random: a failure's seed, in the name of the test, repeats it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.images import planes
from tests.agreement.cases import CUBE, Case
from tests.agreement.cases.table import NEAR_OUTLIER
from tests.agreement.runner import TaskProcess
from tests.parallel.cube.test_run import LONG, compare
from tests.parallel.team_cases import WHOLE

NCHAN = 12
FEW_ROWS = (1, 1, 2, 3)  # a single baseline's fringe has its peak anywhere
FIXED = ["1.5arcsec", "1.2arcsec", "10deg"]
SHORT = {"imsize": 64, "niter": 40, "cycleniter": 20, "nmajor": 1, **WHOLE, "interpolation": "nearest"}


def drawn_flags(seed: int) -> dict[int, int]:
    """Channel -> how many rows of it are left: in the worst channels none or few, the largest beam's anywhere."""
    draw = random.Random(seed)
    channels = draw.sample(range(NCHAN), draw.randint(4, 9))
    return {channel: 0 if draw.random() < 0.4 else draw.choice(FEW_ROWS) for channel in channels}


def drawn_case(seed: int) -> Case:
    draw = random.Random(seed)
    parameters: dict[str, Any] = {
        "restoringbeam": draw.choice(["", "common", FIXED]),
        "stokes": draw.choice(["I", "I", "IQ"]),
        "pblimit": draw.choice([0.2, -0.1]),
        "psfcutoff": draw.choice([0.35, 0.2]),
        "weighting": draw.choice(["natural", "briggs"]),
        "niter": draw.choice([0, 40]),
        "deconvolver": draw.choice(["hogbom", "clark"]),
    }
    has_outlier = draw.random() < 0.3
    files = {"out.txt": NEAR_OUTLIER} if has_outlier else {}
    if has_outlier:
        parameters["outlierfile"] = "out.txt"
    flags = drawn_flags(seed)

    def thin_out(folder: Path) -> None:
        with casa.opened_table(str(folder / "line.ms"), writable=True) as table:
            flagged = table.getcol("FLAG")
            for channel, left in flags.items():
                flagged[:, channel, left:] = True
            table.putcol("FLAG", flagged)

    return Case(f"sparse-{seed}", ({**CUBE, **SHORT, **parameters},), files=files, before=thin_out)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=LONG) for seed in range(1, 40))])
def test_channels_without_a_beam_have_the_whole_cubes(
    seed: int, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    compare(drawn_case(seed), [2 + seed % 2], oracle, candidate, folders, dataset)
    beams = planes.beams(str(folders[0] / "img.psf"))[:, 0]
    blank = [channel for channel, left in drawn_flags(seed).items() if left == 0]
    assert np.array_equal(beams[blank], [beams[beams[:, :2].prod(axis=1).argmax()]] * len(blank))


def renamed(telescope: str, shift: float) -> Callable[[Path], None]:
    """The data of band_edge.ms are another telescope's, at frequencies `shift` [Hz] higher."""

    def rename(folder: Path) -> None:
        vis = folder / "band_edge.ms"
        with casa.opened_table(f"{vis}/OBSERVATION", writable=True) as table:
            table.putcol("TELESCOPE_NAME", [telescope] * table.nrows())
        with casa.opened_table(f"{vis}/SPECTRAL_WINDOW", writable=True) as table:
            for column in ("CHAN_FREQ", "REF_FREQUENCY"):
                table.putcol(column, table.getcol(column) + shift)

    return rename


@pytest.mark.parametrize(
    ("telescope", "shift"),
    [
        ("VLA", 0.0),
        pytest.param("LOFAR", 0.0, marks=LONG),  # its place isn't the same after a conversion
        pytest.param("EVLA", 0.0, marks=LONG),
        pytest.param("VLA", 1e9, marks=LONG),
        pytest.param("ATCA", 6e9, marks=LONG),
        pytest.param("ATCA", 2.5e9, marks=LONG),
        pytest.param("WSRT", -0.2e9, marks=LONG),
    ],
)
def test_all_parts_have_the_primary_beam_of_the_cubes_first_channel(
    telescope: str, shift: float, oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path],
    dataset: Callable[[str], Path],
) -> None:  # fmt: skip
    wide = {"vis": "band_edge.ms", "cell": f"{40 / (1 + shift / 1e9):.2f}arcsec", "pblimit": 0.01, "niter": 0}
    case = Case("band-edge", ({**CUBE, **SHORT, **wide},), before=renamed(telescope, shift))
    compare(case, [2], oracle, candidate, folders, dataset)


@pytest.mark.long
def test_a_beam_without_a_formula_is_that_of_a_process_with_as_many_threads(
    session_dir: Path, folders: tuple[Path, Path], dataset: Callable[[str], Path]
) -> None:
    wide = {"vis": "band_edge.ms", "cell": "40arcsec", "pblimit": 0.3, "pbcor": True}
    case = Case("threads", ({**CUBE, **SHORT, **wide},), before=renamed("MeerKAT", 0.0))
    three = {"OMP_NUM_THREADS": "3"}
    with (
        TaskProcess(session_dir, environment=three) as oracle,
        TaskProcess(session_dir, environment=three) as candidate,
    ):
        compare(case, [2], oracle, candidate, folders, dataset)


def crossing(folder: Path) -> None:
    """Two channels of line.ms have baselines of one direction alone, each of another: long beams that cross."""
    with casa.opened_table(str(folder / "line.ms"), writable=True) as table:
        flagged = table.getcol("FLAG")
        is_east = np.abs(table.getcol("UVW")[0]) > np.abs(table.getcol("UVW")[1])
        flagged[:, 3, is_east] = flagged[:, 8, ~is_east] = True
        table.putcol("FLAG", flagged)


def test_a_common_beam_wider_than_the_largest_is_restored_with_as_tclean_does(
    oracle: TaskProcess, candidate: TaskProcess, folders: tuple[Path, Path], dataset: Callable[[str], Path]
) -> None:
    case = Case("crossing", ({**CUBE, **SHORT, "restoringbeam": "common"},), before=crossing)
    compare(case, [2], oracle, candidate, folders, dataset)
    areas = planes.beams(str(folders[0] / "img.psf"))[:, 0, :2].prod(axis=1)
    assert planes.beams(str(folders[0] / "img.image"))[0, 0, :2].prod() > 1.01 * areas.max()
