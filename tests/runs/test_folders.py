"""The work folders of all fields of a run: named when it begins, made after all is checked, published together."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcleantask import PcleanConfig
from pcleantask.errors import MissingInputError, ParameterError
from pcleantask.runs.folders import WorkFolders
from pcleantask.sections import ImageField
from tests.images.conftest import make_folders, mark

OUTLIER = "imagename = far\nimsize = 64\nphasecenter = J2000 10h00m00s -25d01m00s\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line_ms: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data.ms").symlink_to(line_ms)
    Path("out.txt").write_text(OUTLIER, encoding="utf-8")
    return tmp_path


def folders_of(**changes: object) -> WorkFolders:
    parameters = {"vis": "data.ms", "imagename": "img", "imsize": 64, "cell": "0.2arcsec", "outlierfile": "out.txt"}
    return WorkFolders(PcleanConfig.from_parameters(**{**parameters, **changes}))


def absolute(*names: str) -> tuple[str, ...]:
    return tuple(str(Path(name).absolute()) for name in names)


def accept(_: ImageField) -> None:
    """A run before has left images of the right shape."""


def test_folders_stand_beside_the_products_of_each_field() -> None:
    folders = folders_of()
    assert folders.imagenames == absolute("img.workdirectory/img", "far.workdirectory/far")
    assert (folders.path, folders.shown) == (Path("img.workdirectory").absolute(), "img.workdirectory")
    folders.create(accept)
    assert sorted(path.name for path in Path().glob("*.workdirectory")) == ["far.workdirectory", "img.workdirectory"]
    folders.discard()
    assert not list(Path().glob("*.workdirectory"))


def test_names_are_counted_when_a_run_begins() -> None:
    folders = folders_of(restart=False)
    make_folders("img.image")
    folders.create(accept)
    assert folders.imagenames == absolute("img_2.workdirectory/img_2", "far_2.workdirectory/far_2")


@pytest.mark.parametrize("restart", [True, False])
def test_shapes_are_checked_where_a_run_before_is_gone_on_with(restart: bool) -> None:
    seen: list[str] = []

    def refuse(entry: ImageField) -> None:
        seen.append(entry.imagename)
        if entry.imagename == "far":
            raise ParameterError("another shape")

    folders = folders_of(restart=restart)
    if restart:
        with pytest.raises(ParameterError, match="another shape"):
            folders.create(refuse)
        assert not list(Path().glob("*.workdirectory"))
    else:
        folders.create(refuse)
    assert seen == (["img", "far"] if restart else [])


def test_what_a_run_does_not_make_must_be_there() -> None:
    with pytest.raises(MissingInputError, match=r"calcpsf=False.*img\.psf"):
        folders_of(calcpsf=False, niter=10).create(accept)
    assert not list(Path().glob("*.workdirectory"))


def test_products_of_all_fields_are_carried_over_and_published() -> None:
    make_folders("img.model", "far.model", "img.image", mark="former")
    folders = folders_of()
    folders.create(accept)
    folders.carry_over()
    assert {mark(f"{name}.model") for name in folders.imagenames} == {"former"}
    make_folders(*(f"{name}.image" for name in folders.imagenames), mark="new")
    folders.publish({})
    assert {name: mark(name) for name in ("img.image", "far.image", "img.model", "far.model")} == {
        "img.image": "new", "far.image": "new", "img.model": "former", "far.model": "former",
    }  # fmt: skip
    assert not list(Path().glob("*.workdirectory"))
