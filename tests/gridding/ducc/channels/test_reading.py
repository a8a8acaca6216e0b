"""Flagged and untidy data, parts of rows and channels, and what there is no room or no way for."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import casa
from pcleantask.errors import ParameterError, SelectionError
from pcleantask.gridding.data.memory import is_mapped
from tests.gridding import dirty
from tests.gridding.dirty import CUBE, MFS, Imaged
from tests.gridding.ducc.channels.test_visibilities import (
    GRIDDED,
    ROUNDED,
    ROWS,
    SUMWT,
    WEIGHTS,
    off_casas_gridding,
    worst,
)


@pytest.fixture
def untidy(dataset: Callable[[str], Path], tmp_path: Path) -> Callable[[bool], str]:
    """untidy(spectrum) is a copy of line.ms with flags and weights of all kinds; with weight spectra or without."""

    def made(spectrum: bool) -> str:
        shutil.copytree(dataset("line"), tmp_path / "line.ms")
        generator = np.random.default_rng(11)
        with casa.opened_table(str(tmp_path / "line.ms"), writable=True) as table:
            shape = table.getcol("DATA").shape
            data = table.getcol("DATA")
            flags = generator.random(shape) < 0.1
            data[flags] = np.nan
            table.putcol("DATA", data)
            table.putcol("FLAG", flags)
            table.putcol("FLAG_ROW", generator.random(shape[2]) < 0.1)
            table.putcol("WEIGHT", generator.uniform(0.5, 2, (shape[0], shape[2])))
            second = table.getcol("ANTENNA2")
            second[::17] = table.getcol("ANTENNA1")[::17]
            table.putcol("ANTENNA2", second)
            if spectrum:
                description = table.getcoldesc("DATA")
                description.update(valueType="float", comment="")
                table.addcols({"WEIGHT_SPECTRUM": description}, {"TYPE": "StandardStMan", "NAME": "spectra"})
                table.putcol("WEIGHT_SPECTRUM", generator.uniform(0.5, 2, shape))
        return "line.ms"

    return made


@pytest.mark.parametrize("spectrum", [False, True], ids=["weight", "weight-spectrum"])
@pytest.mark.parametrize(
    "parameters",
    [
        {**MFS, "weighting": "natural"},
        {**MFS, "weighting": "briggs"},
        {**CUBE, "weighting": "natural"},
        {**CUBE, "weighting": "briggs"},
        {**CUBE, "weighting": "briggs", "interpolation": "nearest"},
        {**CUBE, "weighting": "briggs", "perchanweightdensity": False},
    ],
    ids=["mfs", "mfs-briggs", "cube", "cube-briggs", "cube-nearest-briggs", "cube-one-density"],
)
def test_flags_and_weights_of_all_kinds_are_taken_as_tclean_takes_them(
    parameters: dict[str, Any], spectrum: bool, untidy: Callable[[bool], str], imaged: Callable[..., Imaged]
) -> None:
    found = imaged({**parameters, "vis": untidy(spectrum)})
    visibilities = found.read()
    visibilities.set_weights()
    sumwt, psf, residual = worst(found, visibilities)
    print(f"sumwt {sumwt:.1e}, psf {psf:.1e}, residual {residual:.1e}")  # noqa: T201
    assert sumwt < SUMWT
    assert psf < GRIDDED
    assert residual < GRIDDED
    assert off_casas_gridding(found, visibilities) < ROUNDED


@pytest.mark.parametrize("scheme", ["briggs", "natural", "superuniform", "taper"])
def test_parts_of_the_rows_with_one_density_make_the_whole(scheme: str, imaged: Callable[..., Imaged]) -> None:
    found = imaged({**MFS, **WEIGHTS[scheme]})
    whole = found.read()
    whole.set_weights()
    parts = [found.read(part=(number, 3)) for number in range(3)]
    densities = [part.density() for part in parts]
    for part, density in zip(parts, densities, strict=True):
        empty = part.empty_density()
        assert (empty is None) == (density is None)
        assert empty is None or (empty.grid == density.grid and not empty.cells.any() and density.cells.any())
    for part in parts:
        part.set_weights(None if densities[0] is None else sum(densities[1:], densities[0]))
    together = [block for part in parts for block in part.blocks()]
    one = list(whole.blocks())
    assert dirty.total_weight(together) == pytest.approx(dirty.total_weight(one), rel=1e-9)
    _, l, m = found.offsets[2]
    assert dirty.sky_at(together, l, m) == pytest.approx(dirty.sky_at(one, l, m), rel=1e-6)


@pytest.mark.parametrize(
    "name", ["cube-briggs", "cube-wide", "cube-nearest-odd", "cube-briggs-one-density", "cube-aligned-wide-flagged"]
)
def test_a_part_of_a_cube_has_the_visibilities_of_the_whole(name: str, imaged: Callable[..., Imaged]) -> None:
    found = imaged(ROWS[name])
    whole, part = found.read(), found.read(channels=range(2, 4))
    for visibilities in (whole, part):
        visibilities.set_weights()
    for channel in (2, 3):
        for one, other in zip(whole.channel(channel), part.channel(channel), strict=True):
            assert one.weight.any()
            for attribute in ("uvw", "freq", "data", "weight", "psf_weight"):
                np.testing.assert_array_equal(getattr(one, attribute), getattr(other, attribute), attribute)


def test_a_part_of_a_cube_reads_its_own_channels_alone(imaged: Callable[..., Imaged]) -> None:
    found = imaged(ROWS["cube-briggs"])
    sizes = [
        sum(spectra.data.nbytes for spectra, _ in visibilities._data)
        for visibilities in (found.read(), found.read(channels=range(1)))
    ]
    assert 0 < sizes[1] < 0.6 * sizes[0]  # one channel of six, with those around it


@pytest.mark.parametrize("name", ["cube-briggs", "mfs-shifted"])
def test_files_hold_what_memory_has_no_room_for(name: str, imaged: Callable[..., Imaged], tmp_path: Path) -> None:
    found = imaged(ROWS[name])
    memory, files = found.read(), found.read(folder=tmp_path / "arrays", limit=1000.0)
    assert all(is_mapped(spectra.data) for spectra, _ in files._data)
    assert not any(is_mapped(spectra.data) for spectra, _ in memory._data)
    for visibilities in (memory, files):
        visibilities.set_weights()
    for channel in range(found.coordinates.nchan):
        for _ in range(2):  # the second time in memory they are those that were kept
            pairs = zip(dirty.blocks_of(memory, channel), dirty.blocks_of(files, channel), strict=True)
            for one, other in pairs:
                assert one.weight.any()
                np.testing.assert_array_equal(one.data, other.data)
                np.testing.assert_array_equal(one.weight, other.weight)
    assert not list((tmp_path / "arrays").iterdir())


def test_blocks_of_a_continuum_image_have_no_more_visibilities_than_asked(imaged: Callable[..., Imaged]) -> None:
    visibilities = imaged(ROWS["mfs-shifted"]).read()
    visibilities.set_weights()
    whole, pieces = list(visibilities.blocks()), list(visibilities.blocks(300))
    assert max(block.data.size for block in whole) > 1000
    assert max(block.data.size for block in pieces) <= 300
    joined = [np.concatenate([block.data.ravel() for block in blocks]) for blocks in (whole, pieces)]
    np.testing.assert_array_equal(*joined)
    weights = [np.concatenate([block.weight.ravel() for block in blocks]) for blocks in (whole, pieces)]
    np.testing.assert_array_equal(*weights)


def test_a_selection_of_nothing_is_refused(imaged: Callable[..., Imaged]) -> None:
    found = imaged(MFS)
    nothing = dataclasses.replace(found.config.selections[0], uvrange=">9000km")
    config = dataclasses.replace(found.config, selections=(nothing,))
    with pytest.raises(SelectionError, match="no rows"):
        dataclasses.replace(found, config=config).read()


@pytest.mark.parametrize(
    ("section", "change", "said"),
    [
        ("gridding", {"interpolation": "cubic"}, "interpolation='cubic'"),
        ("frame", {"stokes": "pseudoI"}, "stokes='pseudoI'"),
        ("frame", {"stokes": "IQUV"}, "needs the correlations"),
    ],
)
def test_what_is_not_done_is_refused_by_name(
    section: str, change: dict[str, Any], said: str, imaged: Callable[..., Imaged]
) -> None:
    found = imaged(CUBE)
    changed = dataclasses.replace(getattr(found.config, section), **change)
    with pytest.raises(ParameterError, match=said):
        dataclasses.replace(found, config=dataclasses.replace(found.config, **{section: changed})).read()
