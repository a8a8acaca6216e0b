"""Primary beams are CASA's, evaluated at once or by some channels at a time, for one telescope or another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import PcleanConfig, casa
from pcleantask.gridding import makers
from pcleantask.images import pixels as image_pixels
from pcleantask.images.store import ImageStore
from pcleantask.imaging.normalizer import Normalizer
from pcleantask.toolrecords import tool_records
from tests.agreement.runner import Call, TaskProcess
from tests.gridding.dirty import CUBE, MFS

OF_PEAK = 1e-5
ROWS: dict[str, dict[str, Any]] = {
    "mfs": MFS,
    "cube": CUBE,
    "taylor": {**MFS, "deconvolver": "mtmfs"},
    "two-fields": {**MFS, "vis": "mosaic.ms", "field": "0,2", "phasecenter": 0},
    "vla": {**MFS, "vis": "wide.ms", "cell": "30arcsec"},
    "off-centre": {**CUBE, "phasecenter": "J2000 10h00m00.4s -25d00m05.0s"},
    "with-outlier": {**MFS, "outlierfile": "out.txt"},
}
OUTLIER = "imagename=out\nimsize=[30,30]\nphasecenter=J2000 10h00m00.9s -25d00m04.0s\n"


def pixels(path: str) -> tuple[np.ndarray, np.ndarray]:
    with casa.opened_image(path) as image:
        return image.getchunk(), image.getchunk(getmask=True)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("parameters", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_primary_beam_is_casas(
    parameters: dict[str, Any], at_once: bool, tclean: TaskProcess, dataset: Callable[[str], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if not at_once:
        monkeypatch.setattr(image_pixels, "WRITTEN_PIXELS", 20_000)
    Path("out.txt").write_text(OUTLIER)
    parameters = {**parameters, "vis": str(dataset(parameters["vis"].removesuffix(".ms"))), "datacolumn": "data"}
    outcome = tclean.run([Call("tclean", parameters)], tmp_path)[-1]
    assert not outcome.error
    config = PcleanConfig.from_parameters(**{**parameters, "engine": "ducc"})
    Path("ducc").mkdir()
    records = tool_records(config, tuple(f"ducc/{field.imagename}" for field in config.fields))
    gridder = makers(config).whole(config, records, ImageStore(keeps=False))
    try:
        gridder.set_weighting()
        gridder.make_psf()
        gridder.make_pb()
    finally:
        gridder.close()
    for record in records.normpars:
        normalizer = Normalizer(dataclasses.replace(records, normpars=(record,)).normpars[0])
        normalizer.normalize_pb()
        normalizer.close()
    for field in config.fields:
        name = field.imagename + (".pb.tt0" if field.multiterm else ".pb")
        (theirs, their_mask), (ours, our_mask) = pixels(name), pixels(f"ducc/{name}")
        assert 0.1 < theirs.max() <= 1.0
        assert theirs.min() < 0.99 * theirs.max()
        assert abs(ours - theirs).max() < OF_PEAK
        assert (our_mask == their_mask).all()
