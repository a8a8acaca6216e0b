"""Products are told by their suffixes, and take their final names only when a run is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcleantask import casa
from pcleantask.errors import ParameterError
from pcleantask.images.products import check_shapes, counted_names, product_kind, products
from tests.images.conftest import make_folders as make


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_image(name: str, shape: list[int]) -> None:
    with casa.tool("image") as image:
        image.fromshape(name, shape)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("img.image", "image"),
        ("img.image.pbcor", "image"),
        ("img.image.tt0", "image"),
        ("img.image.tt0.pbcor", "image"),
        ("img.residual", "residual"),
        ("img.residual.tt1", "residual"),
        ("img.psf.tt12", "psf"),
        ("img.sumwt", "sumwt"),
        ("img.alpha", "alpha"),
        ("img.alpha.error", "alpha.error"),
        ("img.cf", "cf"),
        ("img", None),
        ("img.", None),
        ("img.fits", None),
        ("img.image.old", None),
        ("img_2.image", None),
        ("img2.image", None),
        ("img.workdirectory", None),
        ("other.image", None),
    ],
)
def test_kind_of_a_product_is_told_by_its_suffix(name: str, kind: str | None) -> None:
    assert product_kind(name, "img") == kind


def test_name_with_signs_of_its_own_is_taken_as_it_stands() -> None:
    make("a+b.c.image", "aab.c.image", "sub/a+b.c.psf")
    assert [(path.name, kind) for path, kind in products("a+b.c")] == [("a+b.c.image", "image")]
    assert [str(path) for path, _ in products("sub/a+b.c")] == ["sub/a+b.c.psf"]
    assert list(products("absent/img")) == []


@pytest.mark.parametrize(
    ("existing", "names"),
    [
        ([], ["img"]),
        (["img.image"], ["img"]),
        (["img.psf", "img_2.psf"], ["img"]),
        (["img_3.residual"], ["img"]),
        (["img.image.tt0"], ["img"]),
        (["img.image.tt0", "img_2.psf.tt0"], ["img"]),
        (["img_2.fits", "img.mask"], ["img"]),
        (["image.image", "img2.image"], ["img"]),
        (["img_x.image", "img_2b.image"], ["img"]),
        (["img.image", "far_4.image"], ["img", "far"]),
        (["far.image"], ["img", "far", "near"]),
        (["img_9.model", "img_10.sumwt"], ["img"]),
        (["sub/img.image", "sub/img_2.image"], ["sub/img"]),
        (["sub/img.image"], ["img", "sub/img"]),
    ],
)
def test_counted_names_are_those_of_casatasks(existing: list[str], names: list[str]) -> None:
    casa.load()
    from casatasks.private.imagerhelpers.input_parameters import ImagerParameters

    Path("sub").mkdir()
    make(*existing)
    theirs = ImagerParameters.incrementImageNameList(None, {str(n): name for n, name in enumerate(names)})
    assert counted_names(tuple(names)) == tuple(theirs.values())


def test_first_run_under_a_name_keeps_the_name() -> None:
    assert counted_names(("img", "absent/far")) == ("img", "absent/far")
    make("img.image", "img_2.image")
    assert counted_names(("img", "absent/far")) == ("img_3", "absent/far_3")


def test_products_of_another_shape_are_refused_before_they_are_lost() -> None:
    make_image("img.psf", [32, 32, 1, 4])
    make_image("img.sumwt", [1, 1, 1, 4])
    check_shapes("img", (32, 32, 1, 4))
    check_shapes("img", (32, 32, 1, None))
    check_shapes("other", (8, 8, 1, 1))
    with pytest.raises(ParameterError) as caught:
        check_shapes("img", (64, 32, 1, None))
    for part in ("img.psf", "[32, 32, 1, 4]", "[64, 32, 1, '?']", "choose another imagename", "restart=False"):
        assert part in str(caught.value)
