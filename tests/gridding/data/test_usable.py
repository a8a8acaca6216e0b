"""Visibilities that are NaN, Inf or too large, or whose weights are so or negative, count as flagged, with a WARN."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa, pclean
from tests.gridding.dirty import CUBE, MFS, NAME, Imaged
from tests.gridding.ducc.test_gridder import pixels, run_ducc

SPOILT = {
    "nan": ("DATA", complex("nan")),
    "inf": ("DATA", complex("inf")),
    "too-large": ("DATA", 1e38),
    "weight-nan": ("WEIGHT", np.nan),
    "weight-inf": ("WEIGHT", np.inf),
    "weight-negative": ("WEIGHT", -3.0),
    "spectrum-nan": ("WEIGHT_SPECTRUM", np.nan),
    "spectrum-negative": ("WEIGHT_SPECTRUM", -0.1),
}
IMAGES: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, "vis": "filled.ms"},
    "mfs-briggs": {**MFS, "vis": "filled.ms", "weighting": "briggs"},
    "cube-briggs": {**CUBE, "vis": "filled.ms", "weighting": "briggs", "start": "229.9985GHz", "nchan": 2},
    "cube-nearest-uniform": {
        **CUBE, "vis": "filled.ms", "weighting": "uniform", "interpolation": "nearest", "nchan": 2,
        "start": "229.9985GHz", "perchanweightdensity": False,
    },
}  # fmt: skip
ORDINARY = {
    ("mfs", "nan"), ("mfs", "too-large"), ("mfs", "weight-negative"), ("mfs-briggs", "spectrum-nan"),
    ("cube-briggs", "inf"), ("cube-briggs", "weight-nan"), ("cube-nearest-uniform", "nan"),
}  # fmt: skip
ROWS = [
    pytest.param(name, kind, marks=[] if (name, kind) in ORDINARY else [pytest.mark.long])
    for name in IMAGES
    for kind in SPOILT
]
ROUNDED = 1e-6  # of the peak: threads of ducc0 sum in any order
LOST = 7  # every seventh row


def add_weight_spectrum(vis: str) -> None:
    with casa.opened_table(vis, writable=True) as table:
        description = table.getcoldesc("DATA") | {"valueType": "float", "dataManagerGroup": "WEIGHT_SPECTRUM"}
        table.addcols({"WEIGHT_SPECTRUM": description | {"comment": ""}})
        table.putcol("WEIGHT_SPECTRUM", np.ones(table.getcol("DATA").shape))


def spoil(vis: str, column: str, value: complex) -> None:
    """Put a value that can't be imaged into a correlation of every seventh row, in one channel if it has any."""
    with casa.opened_table(vis, writable=True) as table:
        values = table.getcol(column)
        values[(0, 2, slice(None, None, LOST)) if values.ndim == 3 else (-1, slice(None, None, LOST))] = value
        table.putcol(column, values)


def flag(vis: str, *, channel: bool) -> None:
    with casa.opened_table(vis, writable=True) as table:
        flags = table.getcol("FLAG")
        flags[:, 2 if channel else slice(None), ::LOST] = True
        table.putcol("FLAG", flags)


def warnings(since: int) -> list[str]:
    """What the log warns of from a place on."""
    text = Path(casa.log().logfile()).read_text(encoding="utf-8", errors="replace")
    return [line for line in text[since:].splitlines() if "\tWARN\t" in line]


def logged() -> int:
    return len(Path(casa.log().logfile()).read_text(encoding="utf-8", errors="replace"))


@pytest.mark.parametrize(("name", "kind"), ROWS)
def test_what_cannot_be_imaged_counts_as_flagged_with_a_warning(
    name: str, kind: str, dataset: Callable[[str], Path], imaged: Callable[..., Imaged]
) -> None:
    """ducc's images are those of data in which it is flagged, and so is tclean's sum of weights."""
    parameters, (column, value) = IMAGES[name], SPOILT[kind]
    shutil.copytree(dataset("filled"), "filled.ms")
    if column == "WEIGHT_SPECTRUM":
        add_weight_spectrum("filled.ms")
    shutil.copytree("filled.ms", "spoilt.ms")
    spoil("spoilt.ms", column, value)
    flag("filled.ms", channel=column != "WEIGHT")
    tclean = imaged(parameters)
    before = logged()
    run_ducc({**parameters, "vis": "spoilt.ms"})
    (warning,) = [line for line in warnings(before) if "count as flagged" in line]
    assert "spoilt.ms': " in warning
    run_ducc(parameters, "flagged")
    for suffix in ("sumwt", "psf", "residual"):
        found = pixels(f"ducc/{NAME}.{suffix}")
        peak = abs(found).max()
        assert peak > 0
        np.testing.assert_allclose(found, pixels(f"flagged/{NAME}.{suffix}"), atol=ROUNDED * peak)
    np.testing.assert_allclose(pixels(f"ducc/{NAME}.sumwt"), tclean.images["sumwt"], rtol=1e-6)


def test_the_warning_says_how_many_of_how_many(dataset: Callable[[str], Path], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("filled"), "filled.ms")
    spoil("filled.ms", "DATA", complex("nan"))
    with casa.opened_table("filled.ms", writable=True) as table:
        flags = table.getcol("FLAG")
        flags[:, :, :LOST] = True  # the first of those that are NaN among them
        table.putcol("FLAG", flags)
        nrow, nchan = table.nrows(), flags.shape[1]
    before = logged()
    run_ducc({**MFS, "vis": "filled.ms"})
    (warning,) = [line for line in warnings(before) if "count as flagged" in line]
    lost, measured = nrow // LOST - 1, (nrow - LOST) * nchan
    assert f"{lost} of {measured} visibilities that aren't flagged" in warning
    run_ducc({**MFS, "vis": "filled.ms", "stokes": "YY"}, "other")  # of which none is NaN
    assert len([line for line in warnings(before) if "count as flagged" in line]) == 1


@pytest.mark.parametrize(
    ("specmode", "column", "value", "image"),
    [("mfs", "DATA", complex("nan"), "residual"), ("cube", "WEIGHT", np.nan, "sumwt")],
)
def test_casas_images_of_nan_are_warned_of(
    specmode: str, column: str, value: complex, image: str, dataset: Callable[[str], Path], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("line"), "line.ms")
    before = logged()
    parameters = {**(MFS if specmode == "mfs" else {**CUBE, "nchan": 2}), "vis": "line.ms"}
    pclean(**{**parameters, "imagename": "good"})
    assert not [line for line in warnings(before) if "isn't finite" in line]
    spoil("line.ms", column, value)
    pclean(**parameters)
    (warning,) = [line for line in warnings(before) if "isn't finite" in line]
    assert f"{NAME}.{image} isn't finite in channels [0" in warning
