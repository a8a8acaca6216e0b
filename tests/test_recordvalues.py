"""Values of CASA's records: what they say, and that nothing is lost on the way back."""

from __future__ import annotations

from pathlib import Path

from pcleantask import PcleanConfig, casa
from pcleantask.gridding.data.selection import find_data, one_row_a_field
from pcleantask.recordvalues import CleanSettings, DataSelection, Densities
from pcleantask.toolrecords import tool_records

IMAGE = {"imagename": "img", "imsize": 64, "cell": "0.4arcsec"}
CIRCLE = "circle[[32pix,32pix],10pix]"
PARTS = {
    "field": "0",
    "spw": "0:2~9",
    "timerange": "",
    "uvrange": ">20klambda",
    "antenna": "0~8",
    "scan": "1",
    "observation": "0",
    "intent": "",
}


def test_a_selection_and_its_record_say_the_same(line_ms: Path) -> None:
    config = PcleanConfig.from_parameters(vis=str(line_ms), **IMAGE, **PARTS, datacolumn="data")
    (record,), (selection,) = (found := tool_records(config)).selpars, found.selections
    assert {name: getattr(selection.what, name) for name in PARTS} == PARTS
    assert (selection.vis, selection.datacolumn, selection.taql) == (str(line_ms), "data", "")
    assert selection.put_into(record) == {**record, "taql": ""}
    assert selection.put_into({**record, "spw": "7", "taql": "ROWID() > 3"}) == {**record, "taql": ""}


def test_one_row_of_each_field_is_selected(dataset) -> None:
    config = PcleanConfig.from_parameters(vis=str(dataset("mosaic")), **IMAGE, field="0,2", antenna="0~8")
    (selection,) = tool_records(config).selections
    shown = one_row_a_field(selection)
    (data,) = find_data([shown])
    (whole,) = find_data([selection])
    with casa.opened_table(selection.vis) as table:
        fields = table.getcol("FIELD_ID")
    assert fields[data.rows].tolist() == [0, 2]
    assert set(data.rows) <= set(whole.rows)
    assert DataSelection.of(shown.put_into({"msname": "", "datacolumn": ""})) == shown


def test_what_deconvolution_and_weights_go_by(line_ms: Path) -> None:
    parameters = {"deconvolver": "mtmfs", "nterms": 3, "scales": [0, 5], "restoringbeam": "common", "mask": CIRCLE}
    records = tool_records(PcleanConfig.from_parameters(vis=str(line_ms), **IMAGE, **parameters, weighting="briggsabs"))
    settings = CleanSettings.of(records.decpars[0])
    assert (settings.algorithm, settings.nterms, settings.scales) == ("mtmfs", 3, (0.0, 5.0))
    assert settings.is_masked
    assert settings.has_common_beam
    assert not settings.has_start_model
    assert records.densities == Densities(True, False, False, False, False)
    assert (records.weightpars["type"], records.weightpars["rmode"]) == ("briggs", "abs")
