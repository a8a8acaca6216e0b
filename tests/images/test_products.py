"""Products are told by their suffixes, and take their final names only when a run is over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcleantask import casa
from pcleantask.errors import OutputError, ParameterError
from pcleantask.images.products import OWNER_FILE, WorkFolder, check_shapes, counted_names, product_kind, products


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str, mark: str = "") -> None:
    """Folders such as images are, with a file that says whose they are."""
    for name in names:
        Path(name).mkdir(parents=True)
        (Path(name) / "table.dat").write_text(mark, encoding="utf-8")


def mark(name: str | Path) -> str:
    return (Path(name) / "table.dat").read_text(encoding="utf-8")


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


@pytest.fixture
def work() -> Iterator[WorkFolder]:
    """A work folder, made."""
    folder = WorkFolder("img")
    folder.create()
    yield folder
    folder.discard()


def test_work_folder_stands_beside_the_products_and_says_whose_it_is() -> None:
    work = WorkFolder("new/deep/img")
    assert not Path("new").exists()
    work.create()
    assert work.imagename == "new/deep/img.workdirectory/img"
    owner = Path("new/deep/img.workdirectory", OWNER_FILE).read_text(encoding="utf-8")
    assert owner == f"{socket.gethostname()} {os.getpid()}"


def test_discarding_leaves_the_disk_as_it_was() -> None:
    make("there/img.image")
    folders = [WorkFolder(name) for name in ("there/img", "new/deep/img", "new/deep/far")]
    for work in folders:
        work.create()
    for work in reversed(folders):
        work.discard()
    assert sorted(map(str, Path().rglob("*"))) == ["there", "there/img.image", "there/img.image/table.dat"]


ALL = ("psf", "pb", "sumwt", "weight", "residual", "model", "mask", "image", "image.pbcor")


@pytest.mark.parametrize(
    ("calcpsf", "calcres", "carried"),
    [
        (True, True, {"model", "mask"}),
        (False, True, {"model", "mask", "psf", "pb", "sumwt", "weight"}),
        (False, False, {"model", "mask", "psf", "pb", "sumwt", "weight", "residual"}),
        (True, False, {"model", "mask", "residual"}),
    ],
)
@pytest.mark.parametrize("term", ["", ".tt0"])
def test_what_a_run_reads_and_does_not_make_is_carried_over(
    work: WorkFolder, calcpsf: bool, calcres: bool, carried: set[str], term: str
) -> None:
    make(*(f"img.{kind}{term}" for kind in ALL), "img_2.model", "other.model", mark="former")
    work.carry_over(calcpsf=calcpsf, calcres=calcres)
    found = {path.name for path in work.path.iterdir()} - {OWNER_FILE}
    assert found == {f"img.{kind}{term}" for kind in carried}
    assert {mark(work.path / name) for name in found} == {"former"}
    assert all(Path(f"img.{kind}{term}").is_dir() for kind in ALL)


def test_products_take_their_final_names_and_replace_those_before(work: WorkFolder) -> None:
    make("img.image", "img.mask", mark="former")
    make(f"{work.imagename}.image", f"{work.imagename}.psf", f"{work.imagename}.tmp", mark="new")
    assert sorted(map(str, work.publish())) == ["img.image", "img.psf"]
    assert {name: mark(name) for name in ("img.image", "img.psf", "img.mask")} == {
        "img.image": "new", "img.psf": "new", "img.mask": "former",
    }  # fmt: skip
    assert sorted(path.name for path in Path().iterdir()) == ["img.image", "img.mask", "img.psf"]


def test_nothing_has_its_final_name_before_publishing(work: WorkFolder) -> None:
    make("img.image", mark="former")
    make(f"{work.imagename}.image", mark="new")
    assert mark("img.image") == "former"
    work.discard()
    assert mark("img.image") == "former"
    assert not work.path.exists()


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen]:
    """A living process that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


def occupied(owner: str) -> WorkFolder:
    """A work folder that another run left, with an image in it."""
    make("img.workdirectory/img.psf")
    Path("img.workdirectory", OWNER_FILE).write_text(owner, encoding="utf-8")
    return WorkFolder("img")


def test_folder_of_a_living_process_is_left_to_it(other_process: subprocess.Popen) -> None:
    work = occupied(f"{socket.gethostname()} {other_process.pid}")
    with pytest.raises(OutputError, match=f"process {other_process.pid} is imaging.*choose another name"):
        work.create()
    assert Path("img.workdirectory/img.psf").is_dir()


def test_folder_of_a_dead_process_is_replaced() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    occupied(f"{socket.gethostname()} {process.pid}").create()
    assert [path.name for path in Path("img.workdirectory").iterdir()] == [OWNER_FILE]


@pytest.mark.parametrize("owner", ["nonsense", "", f"{socket.gethostname()} {os.getpid()}"])
def test_folder_of_nobody_or_of_this_process_is_replaced(owner: str) -> None:
    occupied(owner).create()
    assert [path.name for path in Path("img.workdirectory").iterdir()] == [OWNER_FILE]


def test_place_below_a_file_is_an_error_with_the_systems_reason() -> None:
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"imagename 'file/img': can't make .*Not a directory"):
        WorkFolder("file/img").create()
