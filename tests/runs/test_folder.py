"""Work folders are made, locked, published and discarded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcleantask.errors import OutputError
from pcleantask.runs.folder import OWNER_FILE, WorkFolder
from tests.images.conftest import make_folders as make
from tests.images.conftest import mark


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
