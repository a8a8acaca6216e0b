"""Where some rows have no array in CORRECTED_DATA, their DATA are imaged, as by tclean."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.errors import ImagingError
from tests.gridding.dirty import MFS, NAME, Imaged
from tests.gridding.ducc.test_gridder import GRIDDED, inner, pixels, run_ducc

# What is calibrated of which data.
PARTLY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "spw": ("continuum", "DATA_DESC_ID == 0", {}),
    "other-spw": ("continuum", "DATA_DESC_ID == 1", {"weighting": "briggs"}),
    "field": ("mosaic", "FIELD_ID == 1", {"field": "0,1", "phasecenter": 1}),
}


def calibrate(vis: str, rows: str, factor: float) -> None:
    """Add CORRECTED_DATA, with arrays in some rows alone."""
    with casa.opened_table(vis, writable=True) as table:
        description = table.getcoldesc("DATA") | {"dataManagerGroup": "CORRECTED_DATA", "comment": ""}
        table.addcols({"CORRECTED_DATA": description})
        chosen = table.query(rows)
        chosen.putcol("CORRECTED_DATA", factor * chosen.getcol("DATA"))
        chosen.close()


@pytest.mark.parametrize("name", PARTLY)
def test_data_are_imaged_where_there_are_no_corrected(
    name: str, imaged: Callable[..., Imaged], dataset: Callable[[str], Path]
) -> None:
    source, rows, changes = PARTLY[name]
    shutil.copytree(dataset(source), "partly.ms")
    parameters = {**MFS, **changes, "vis": "partly.ms", "datacolumn": "corrected"}
    plain = imaged(parameters).images["residual"]
    calibrate("partly.ms", rows, 3.0)
    tclean = imaged(parameters).images
    assert abs(tclean["residual"] - plain).max() > 0.2 * plain.max()
    result = run_ducc(parameters, engine="auto")
    assert result["engine"] == "ducc"
    np.testing.assert_allclose(pixels(f"ducc/{NAME}.sumwt"), tclean["sumwt"], rtol=1e-6)
    difference = inner(pixels(f"ducc/{NAME}.residual")) - inner(tclean["residual"])
    assert abs(difference).max() < GRIDDED * max(1.0, tclean["residual"].max())


def test_rows_without_any_data_are_a_named_error(dataset: Callable[[str], Path], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(dataset("continuum"), "partly.ms")
    with casa.opened_table("partly.ms", writable=True) as table:
        whole = table.getcoldesc("DATA")
        table.renamecol("DATA", "CORRECTED_DATA")
        table.addcols({"DATA": whole | {"dataManagerGroup": "EMPTY", "comment": ""}})
    with pytest.raises(ImagingError, match=r"reading DATA of '.*partly\.ms'"):
        run_ducc({**MFS, "vis": "partly.ms", "datacolumn": "data"})
