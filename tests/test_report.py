"""The minor cycles' summary is that of casatasks, for every shape that the controller's matrix can have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pcleantask import casa, report

# Planes of the made-up matrices: (field, channel, Stokes) of each minor cycle's record, in the order they are cleaned.
PLANES = {
    "one-plane": [(0, 0, 0)] * 3,
    "cube": [(0, chan, 0) for _ in range(3) for chan in range(4)],
    "cube-of-some-channels": [(0, chan, 0) for _ in range(2) for chan in (3, 7)],
    "stokes": [(0, chan, pol) for _ in range(2) for chan in range(2) for pol in range(4)],
    "outliers": [(field, chan, 0) for _ in range(2) for field in range(3) for chan in range(2)],
    "only-the-second-field": [(1, 0, 0)] * 2,
    "channels-dropping-out": [(0, 0, 0), (0, 1, 0), (0, 0, 0), (0, 1, 0), (0, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 0)],
}


@pytest.fixture(scope="module", autouse=True)
def _casa() -> None:
    casa.load()


def rows_of(fullsummary: bool) -> tuple[str, ...]:
    """The rows of this casatasks' summary matrix."""
    from casatasks.private.imagerhelpers.summary_minor import SummaryMinor

    return tuple(SummaryMinor.getRowDescriptionsOldOrder(fullsummary))


def matrix(planes: list[tuple[int, int, int]], rows: tuple[str, ...]) -> np.ndarray:
    """A summary matrix [row, record] of those planes, every other value distinct."""
    values = np.random.default_rng(1).permutation(len(rows) * len(planes)).reshape(len(rows), -1) / 7.0
    field = "multifieldId" if "multifieldId" in rows else "deconId"
    for place, key in enumerate((field, "chan", "stoke")):
        if key in rows:
            values[rows.index(key)] = [plane[place] for plane in planes]
    return values


def types(value: Any) -> Any:
    """The nested summary with each value replaced by its type."""
    return {key: types(entry) for key, entry in value.items()} if isinstance(value, dict) else [type(v) for v in value]


@pytest.mark.parametrize("fullsummary", [False, True])
@pytest.mark.parametrize("name", PLANES)
def test_minor_summary_is_that_of_casatasks(name: str, fullsummary: bool) -> None:
    from casatasks.private.imagerhelpers.summary_minor import SummaryMinor

    summary = matrix(PLANES[name], rows_of(fullsummary))
    expected = SummaryMinor.convertMatrix(summary, fullsummary)
    found = report.minor_summary(summary)
    assert found == expected
    assert types(found) == types(expected)
    assert len(found) == len({field for field, _, _ in PLANES[name]})
    assert any(any(plane["iterDone"]) for field in found.values() for chan in field.values() for plane in chan.values())


def keys_in_order(summary: dict[int, Any]) -> list[list[str]]:
    return [list(plane) for field in summary.values() for chan in field.values() for plane in chan.values()]


@pytest.mark.parametrize("fullsummary", [False, True])
def test_keys_come_in_the_order_of_casatasks(fullsummary: bool) -> None:
    from casatasks.private.imagerhelpers.summary_minor import SummaryMinor

    summary = matrix(PLANES["outliers"], rows_of(fullsummary))
    expected = SummaryMinor.convertMatrix(summary, fullsummary)
    assert keys_in_order(report.minor_summary(summary)) == keys_in_order(expected)


@pytest.mark.parametrize("fullsummary", [False, True])
def test_run_without_minor_cycles_has_an_empty_summary(fullsummary: bool) -> None:
    from casatasks.private.imagerhelpers.summary_minor import SummaryMinor

    empty = np.zeros((len(rows_of(fullsummary)), 0))
    assert report.minor_summary(empty) == SummaryMinor.convertMatrix(empty, fullsummary)


def test_rows_are_those_of_casatasks() -> None:
    from casatasks.private.imagerhelpers.summary_minor import SummaryMinor

    short = rows_of(False)
    assert rows_of(True) == report.FULL_ROWS
    assert report.FULL_ROWS[: len(short)] == short
    assert list(report.PLANE_KEYS) == SummaryMinor.getRowDescriptions(True)


def test_stop_descriptions_are_those_of_casatasks() -> None:
    """The texts stand in the source of ImagingDict or PySynthesisImager, which makes no object without a run."""
    import inspect

    from casatasks.private.imagerhelpers import imager_base

    source = inspect.getsource(imager_base)
    for code, text in report.STOP_DESCRIPTIONS.items():
        assert f'"{text}"' in source or f"'{text}'" in source, (code, text)


@pytest.mark.parametrize("code", [*report.STOP_DESCRIPTIONS, 0])
def test_stop_code_is_told_in_words(code: int) -> None:
    summary = {"stopcode": code, "niter": 5, "summaryminor": matrix(PLANES["one-plane"], rows_of(False))}
    found = report.clean_summary(summary)
    assert found["stopDescription"] == report.STOP_DESCRIPTIONS.get(code)
    assert found["niter"] == 5
    assert found["summaryminor"] == report.minor_summary(summary["summaryminor"])
    assert isinstance(summary["summaryminor"], np.ndarray)  # the controller's own is not changed
