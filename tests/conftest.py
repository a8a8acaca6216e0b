"""Fixtures shared by all tests: small simulated data, made once a session, away from the repository.

Everything CASA writes (its log, tables, images) goes to one temporary folder, which goes with the session.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts")]

from simulate import simulate_ms  # noqa: E402
from sky import LINE_SKY, Source  # noqa: E402

from tests.agreement.matrix import pytest_terminal_summary  # noqa: E402, F401  a hook

SMALL = {"antennas": 12, "nintegrations": 4, "integration_s": 600.0}
ABSORBER = Source(-7.0, 6.0, line=-0.6, centre=0.4, width=0.1)
WIDE_SKY = (Source(0.0, 0.0, flux=1.0), Source(620.0, -910.0, flux=0.8), Source(-300.0, 200.0, flux=0.4))
FILLED_MOSAIC = {
    "antennas": 36,
    "nintegrations": 9,
    "integration_s": 300.0,
    "nchannels": 4,
    "pointings": ((-8, -4), (8, -4), (0, 9)),
}

# Name -> arguments of simulate_ms. LSRK is 2.8 MHz below TOPO in the ALMA data, BARY 12.2 MHz.
DATASETS: dict[str, dict] = {
    # ALMA, 12 channels of 1 MHz from 230 GHz, five line sources within 8 arcsec; beam 1.2 arcsec.
    "line": {**SMALL, "nchannels": 12},
    # As "line", with so many visibilities that CASA's gridding is at its best.
    "filled": {"antennas": 36, "nintegrations": 8, "integration_s": 300.0, "nchannels": 6},
    # The same channels and sky in a lower sideband: frequencies fall. Then both sidebands, apart from each other.
    "lower": {**SMALL, "nchannels": 12, "channel_hz": -1e6, "start_hz": 230.011e9},
    "sidebands": {
        **SMALL,
        "nchannels": 4,
        "channel_hz": (-1e9, 1e9),
        "start_hz": (223e9, 237e9),
        "sources": "continuum",
    },
    "late": {**SMALL, "nchannels": 12, "reference_time": "2021/01/28", "hour_angle_h": 2.0, "seed": 2},
    # Four hours: longer than casacore keeps precession and nutation.
    "setting": {**SMALL, "nintegrations": 8, "integration_s": 1800.0, "nchannels": 12, "hour_angle_h": 5.0},
    "flagged": {**SMALL, "nchannels": 12, "flagged_channels": (5,), "seed": 3},
    # Noise of 22 mJy a channel, which automask and nsigma reach, and an absorption line for negative masks.
    "noisy": {**SMALL, "nchannels": 12, "noise_jy": 0.5, "sources": (*LINE_SKY, ABSORBER), "seed": 4},
    "late_noisy": {
        **SMALL,
        "nchannels": 12,
        "noise_jy": 0.5,
        "reference_time": "2021/01/28",
        "hour_angle_h": 2.0,
        "seed": 7,
    },
    # So many antennas that the PSF's sidelobes are low enough for the pipeline's masks of the 12 m array.
    "dense": {**SMALL, "antennas": 30, "nchannels": 12, "noise_jy": 0.5, "seed": 8},
    "dense_continuum": {
        **SMALL,
        "antennas": 30,
        "nchannels": 4,
        "channel_hz": 1e9,
        "start_hz": (220e9, 240e9),
        "sources": "continuum",
        "noise_jy": 0.1,
        "seed": 9,
    },
    # Where Uranus was, for a cube that follows it.
    "planet": {**SMALL, "nchannels": 6, "direction": "J2000 02h17m12.5s 13d15m50.3s", "seed": 5},
    # Two spws, 220 and 240 GHz, 4 channels of 1 GHz each; three sources with spectral indices.
    "continuum": {**SMALL, "nchannels": 4, "channel_hz": 1e9, "start_hz": (220e9, 240e9), "sources": "continuum"},
    "corrected": {**SMALL, "nchannels": 4, "sources": "continuum", "corrected_scale": 0.5, "seed": 6},
    "full_stokes": {**SMALL, "nchannels": 4, "correlations": "XX XY YX YY", "sources": "polarised"},
    "one_hand": {**SMALL, "nchannels": 12, "correlations": "XX", "hour_angle_h": 2.0, "seed": 7},
    # Three pointings, 6 channels.
    "mosaic": {**SMALL, "nintegrations": 6, "nchannels": 6, "pointings": ((-8, -4), (8, -4), (0, 9))},
    # The same three pointings in so many visibilities that CASA's gridding is at its best; also as the VLA
    # would see a larger field.
    "filled_mosaic": FILLED_MOSAIC,
    "evla_mosaic": {
        **FILLED_MOSAIC,
        "array": "vla.d",
        "antennas": None,
        "telescope": "EVLA",
        "channel_hz": 2e7,
        "start_hz": 3e9,
        "correlations": "RR LL",
        "sources": WIDE_SKY,
        "direction": "J2000 10h00m00.0s 35d00m00.0s",
        "pointings": ((-240, -120), (240, -120), (0, 270)),
        "hour_angle_h": 2.0,
    },
    # The same three pointings over two wide spws.
    "wide_mosaic": {
        **SMALL,
        "nintegrations": 6,
        "nchannels": 2,
        "channel_hz": 2e9,
        "start_hz": (220e9, 240e9),
        "sources": "continuum",
        "pointings": ((-8, -4), (8, -4), (0, 9)),
    },
    # VLA at 1.4 GHz, a wide field; beam 50 arcsec.
    "wide": {
        **SMALL,
        "array": "vla.d",
        "nchannels": 4,
        "start_hz": 1.4e9,
        "correlations": "RR LL",
        "sources": WIDE_SKY,
        "primary_beam": False,
        "direction": "J2000 10h00m00.0s 35d00m00.0s",
        "hour_angle_h": 2.0,
    },
    # VLA from below to above 1 GHz, where CASA has a primary beam for each side.
    "band_edge": {
        **SMALL,
        "array": "vla.d",
        "antennas": 8,
        "nintegrations": 2,
        "nchannels": 6,
        "start_hz": 0.9975e9,
        "correlations": "RR LL",
        "sources": WIDE_SKY,
        "primary_beam": False,
        "direction": "J2000 10h00m00.0s 35d00m00.0s",
        "hour_angle_h": 2.0,
    },
    # The same field in few visibilities of two wide spws, for gridders that take their time.
    "wide_band": {
        **SMALL,
        "array": "vla.d",
        "antennas": 8,
        "nintegrations": 2,
        "nchannels": 2,
        "channel_hz": 1e8,
        "start_hz": (1.0e9, 1.4e9),
        "correlations": "RR LL",
        "sources": WIDE_SKY,
        "primary_beam": False,
        "direction": "J2000 10h00m00.0s 35d00m00.0s",
        "hour_angle_h": 2.0,
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the rows marked long as well")
    parser.addoption("--seed", type=int, help="the seed of tests of what is drawn at random, in place of theirs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session", autouse=True)
def session_dir() -> Iterator[Path]:
    """A folder for the whole session, and the working directory: CASA's log is written where its process runs."""
    before = Path.cwd()
    path = Path(tempfile.mkdtemp(prefix="pcleantask-tests-")).resolve()
    os.chdir(path)
    yield path
    os.chdir(before)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def dataset(session_dir: Path) -> Callable[[str], Path]:
    """dataset(name) is the path of the MeasurementSet of that name in DATASETS, made when first asked for."""

    def made(name: str) -> Path:
        path = session_dir / "data" / f"{name}.ms"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            simulate_ms(path, **DATASETS[name])
        return path

    return made


@pytest.fixture(scope="session")
def line_ms(dataset: Callable[[str], Path]) -> Path:
    """Five line sources, 12 channels. Read only: a test that writes to it makes a copy."""
    return dataset("line")


@pytest.fixture(scope="session")
def continuum_ms(dataset: Callable[[str], Path]) -> Path:
    """Three continuum sources with spectral indices, two spws. Read only."""
    return dataset("continuum")


@pytest.fixture(scope="session")
def full_stokes_ms(dataset: Callable[[str], Path]) -> Path:
    """Two polarised sources, four correlations. Read only."""
    return dataset("full_stokes")


@pytest.fixture(scope="session")
def mosaic_ms(dataset: Callable[[str], Path]) -> Path:
    """Five line sources, three pointings. Read only."""
    return dataset("mosaic")
