"""Frequencies and directions in motion, against CASA's measures and ms tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa, pclean
from pcleantask.errors import ParameterError
from pcleantask.gridding.data.casacore_memory import Moment, forget
from pcleantask.gridding.data.frames import Observation
from pcleantask.measurementsets import observatory_position


def first_time(vis: Path) -> float:
    with casa.opened_table(str(vis)) as table:
        return float(table.getcol("TIME").min())


def test_shifts_are_those_of_the_ms_tool(line_ms: Path) -> None:
    with casa.opened_ms(str(line_ms)) as ms:
        expected = ms.cvelfreqs(spwids=[0], fieldids=[0], mode="channel", outframe="LSRK", phasec=0)
    with casa.opened_table(f"{line_ms}/SPECTRAL_WINDOW") as table:
        frequency = table.getcell("CHAN_FREQ", 0)
    shift = Observation(str(line_ms)).doppler_factors(0, np.array([first_time(line_ms)]), "TOPO")
    assert abs(shift[0] - 1) > 1e-6
    assert frequency * shift[0] == pytest.approx(expected, rel=1e-10)


def test_shifts_of_many_short_integrations_are_interpolated_exactly(line_ms: Path) -> None:
    observation = Observation(str(line_ms))
    times = first_time(line_ms) + 2.0 * np.arange(5000)
    found = observation.doppler_factors(0, times, "TOPO")
    some = np.arange(0, 5000, 357)
    expected = np.concatenate([observation.doppler_factors(0, times[[number]], "TOPO") for number in some])
    assert np.ptp(expected) > 1e-8
    assert np.abs(found[some] - expected).max() < 1e-13  # CASA's own answers depend on what it was asked before


def test_frequencies_in_the_gridding_frame_are_not_shifted(line_ms: Path) -> None:
    assert (Observation(str(line_ms)).doppler_factors(0, np.arange(3.0), "LSRK") == 1).all()


@pytest.mark.parametrize("frame", ["TOPO", "GEO", "BARY", "LSRD", "GALACTO", "LGROUP", "CMB"])
def test_frequencies_are_converted_to_the_last_bit(frame: str, line_ms: Path) -> None:
    """As casacore converts them that remembers what it should; the first moment is as in a new process."""
    observation = Observation(str(line_ms))
    start = first_time(line_ms)
    moments = [
        Moment(start + late, start + early, start + early) for late, early in ((0, 0), (20000, 20000), (1800, 0))
    ]
    frequency = np.random.default_rng(2).uniform(1e9, 9e11, 50)
    found = observation.converted(frequency, 0, moments, frame)
    for row, moment in zip(found, moments, strict=True):
        forget()
        for time in (moment.coefficients, moment.time):
            expected = conversions(observation, time, frequency, frame)
        assert (row == expected).all()
    assert (found != frequency).all()


def conversions(observation: Observation, time: float, frequency: np.ndarray, frame: str) -> list[float]:
    """LSRK frequencies by a new measures tool."""
    with casa.tool("measures") as measures:
        measures.doframe(observatory_position(observation.vis))
        measures.doframe(observation.direction(0).measure)
        measures.doframe({"type": "epoch", "refer": "UTC", "m0": {"value": time, "unit": "s"}})
        probes = [{"type": "frequency", "refer": frame, "m0": {"value": one, "unit": "Hz"}} for one in frequency]
        return [measures.measure(probe, "LSRK")["m0"]["value"] for probe in probes]


def test_casacore_forgets_what_it_was_asked_about(line_ms: Path) -> None:
    observation, start = Observation(str(line_ms)), first_time(line_ms)
    frequency = np.array([230e9])
    forget()
    new = conversions(observation, start + 1800, frequency, "TOPO")
    forget()
    conversions(observation, start, frequency, "TOPO")
    assert conversions(observation, start + 1800, frequency, "TOPO") != new
    forget()
    assert conversions(observation, start + 1800, frequency, "TOPO") == new


def test_a_single_channel_of_optical_velocities_is_refused_by_name(
    line_ms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    axis = {"specmode": "cube", "nchan": 1, "start": "8km/s", "width": "-1.32km/s", "restfreq": "230.005GHz"}
    with pytest.raises(ParameterError, match="no width"):
        pclean(str(line_ms), imagename="img", imsize=64, cell="0.4arcsec", engine="ducc", veltype="optical", **axis)
