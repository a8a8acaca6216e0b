"""Work folders are made, locked, published and discarded."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcleantask.errors import OutputError
from pcleantask.runs import lock
from pcleantask.runs.folder import WorkFolder
from pcleantask.runs.lock import Owner
from tests.images.conftest import make_folders as make
from tests.images.conftest import mark

OWNER = Owner.this_process("this", "2026-01-01T00:00:00+00:00")
LOCK = "lock.1"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def work() -> Iterator[WorkFolder]:
    """A work folder, made."""
    folder = taken("img")
    yield folder
    folder.remove()


def taken(imagename: str) -> WorkFolder:
    folder = WorkFolder(imagename)
    folder.take(OWNER)
    return folder


def test_work_folder_stands_beside_the_products_and_says_whose_it_is() -> None:
    work = WorkFolder("new/deep/img")
    assert not Path("new").exists()
    work.take(OWNER)
    assert work.imagename == str(Path("new/deep/img.workdirectory/img").absolute())
    assert work.shown == "new/deep/img.workdirectory"
    owner = Owner.read(Path("new/deep/img.workdirectory", LOCK))
    assert (owner.run, owner.pid, owner.is_this_process, owner.is_over) == ("this", os.getpid(), True, False)


def test_removing_leaves_the_disk_as_it_was() -> None:
    make("there/img.image")
    folders = [taken(name) for name in ("there/img", "new/deep/img", "new/deep/far")]
    for work in reversed(folders):
        work.remove(with_parents=True)
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
    found = {path.name for path in work.path.iterdir()} - {LOCK}
    assert found == {f"img.{kind}{term}" for kind in carried}
    assert {mark(work.path / name) for name in found} == {"former"}
    assert all(Path(f"img.{kind}{term}").is_dir() for kind in ALL)


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen]:
    """A living process that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


def owner_of(process: subprocess.Popen, **changes: object) -> Owner:
    """That process as one that has a folder; `start` is asked of the system unless it is given."""
    found = dataclasses.replace(OWNER, run="other", pid=process.pid, started=lock._start_of(process.pid))
    return dataclasses.replace(found, **changes)


def left_by(owner: Owner | bytes, name: str = LOCK) -> WorkFolder:
    """A work folder that another run has left, with an image in it."""
    make("img.workdirectory/img.psf")
    Path("img.workdirectory", name).write_bytes(owner if isinstance(owner, bytes) else owner.text().encode())
    return WorkFolder("img")


def test_folder_of_a_living_process_is_left_to_it(other_process: subprocess.Popen) -> None:
    work = left_by(owner_of(other_process))
    with pytest.raises(OutputError, match=f"process {other_process.pid} on .* is imaging.*choose another name"):
        work.take(OWNER)
    assert Path("img.workdirectory/img.psf").is_dir()
    work.remove()
    work.give_up()
    assert Path("img.workdirectory/img.psf").is_dir()


def test_folder_of_a_dead_process_is_taken_over_with_what_is_in_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        owner = owner_of(process, started=1)
        process.wait()
    work = left_by(owner, "lock.7")
    work.take(OWNER)
    assert work.former == owner
    assert sorted(path.name for path in work.path.iterdir()) == ["img.psf", "lock.8"]
    work.clear()
    assert [path.name for path in work.path.iterdir()] == ["lock.8"]
    assert work.is_owned()


def test_number_of_a_dead_process_that_another_has_by_now_is_no_life(other_process: subprocess.Popen) -> None:
    work = left_by(owner_of(other_process, started=lock._start_of(other_process.pid) - 1))
    work.take(OWNER)
    assert work.is_owned()


def test_process_that_has_left_its_folder_does_not_hold_it(other_process: subprocess.Popen) -> None:
    work = left_by(owner_of(other_process, is_over=True))
    work.take(OWNER)
    work.give_up()
    assert Owner.read(work.lock).is_over
    assert not work.is_owned()


@pytest.mark.parametrize("is_alive", [True, False])
def test_process_that_cannot_be_looked_at_is_alive_while_it_gives_signs(
    other_process: subprocess.Popen, monkeypatch: pytest.MonkeyPatch, is_alive: bool
) -> None:
    monkeypatch.setattr(lock, "BEAT_S", 0.2)
    monkeypatch.setattr(lock, "STALE_S", 2.0)
    monkeypatch.setattr(lock, "LOOK_S", 0.1)
    work = left_by(owner_of(other_process, place="another machine"))
    if not is_alive:
        work.take(OWNER)
        assert work.is_owned()
        return
    heartbeat = lock.Heartbeat([work.path / LOCK])
    try:
        with pytest.raises(OutputError, match="is imaging under that name"):
            work.take(OWNER)
    finally:
        heartbeat.stop()


def test_run_finds_that_its_folder_was_taken_over(work: WorkFolder) -> None:
    assert work.is_owned()
    (work.path / "lock.2").write_text(OWNER.text(), encoding="utf-8")
    assert not work.is_owned()
    work.remove()
    assert work.path.is_dir()
    (work.path / "lock.2").unlink()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe\x00", b"[]", b'{"run": 1}', b"host 12"])
def test_lock_that_cannot_be_read_is_an_error_and_nothing_is_lost(content: bytes) -> None:
    with pytest.raises(OutputError, match=r"lock\.1' can't be read.*remove that folder"):
        left_by(content).take(OWNER)
    assert Path("img.workdirectory/img.psf").is_dir()


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link", "broken link"])
def test_what_pclean_has_not_made_is_left_alone(kind: str) -> None:
    path = Path("img.workdirectory")
    if "folder" in kind:
        path.mkdir()
    if kind == "folder":
        make("img.workdirectory/img.psf")
    if kind == "file":
        path.write_text("mine", encoding="utf-8")
    if kind == "link":
        left_by(dataclasses.replace(OWNER, is_over=True))
        path.rename("elsewhere")
    if "link" in kind:
        path.symlink_to("elsewhere")
    before = sorted(map(str, Path().rglob("*")))
    with pytest.raises(OutputError, match=r"isn't a folder that pclean has made; move it away"):
        WorkFolder("img").take(OWNER)
    assert sorted(map(str, Path().rglob("*"))) == before


def test_folders_that_were_being_made_or_removed_by_dead_processes_go() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        dead = owner_of(process, started=1)
        process.wait()
    for name, owner in (("img.workdirectory.12345678", dead), ("img.workdirectory.abcdefgh", OWNER)):
        make(f"{name}/img.psf")
        Path(name, LOCK).write_text(owner.text(), encoding="utf-8")
    make("img.workdirectory.87654321")
    taken("img").remove()
    assert sorted(map(str, Path().glob("*"))) == ["img.workdirectory.87654321", "img.workdirectory.abcdefgh"]


def test_place_below_a_file_is_an_error_with_the_systems_reason() -> None:
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"imagename 'file/img': can't make .*Not a directory"):
        WorkFolder("file/img").take(OWNER)
