"""CASA's gridder: what the casatools at hand hasn't is refused, where it would go on with another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pcleantask import casa, pclean
from pcleantask.errors import ParameterError
from pcleantask.gridding.casa import NEWEST
from tests.agreement.cases import WIDE
from tests.agreement.cases.installed import has_gridder

AWP2 = {**WIDE, "gridder": "awp2", "specmode": "mfs", "niter": 0, "imagename": "img"}


def test_installed_tclean_has_the_gridders_that_are_let_through() -> None:
    for gridder, first in NEWEST.items():
        assert has_gridder({"gridder": gridder}) == (casa.version() >= first)


@pytest.mark.parametrize("team", [{}, {"parallel": True, "nworkers": 2}], ids=["one process", "2 workers"])
def test_a_gridder_of_a_newer_casatools_is_refused_by_name(
    team: dict[str, Any], dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if casa.version() >= NEWEST["awp2"]:
        pytest.skip("this casatools has them all")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=r"gridder='awp2' needs casatools 6\.7\.0 or newer, and here is 6\.6"):
        pclean(**{**AWP2, "vis": str(dataset("wide"))}, **team)
    assert not list(tmp_path.glob("img*"))
