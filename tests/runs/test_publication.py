"""Under the final names stand old products or new ones, never some of each, wherever a run is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pcleantask.errors import OutputError
from pcleantask.runs.folder import WorkFolder, complete_publications
from pcleantask.runs.lock import Owner
from pcleantask.runs.publication import publish
from tests.images.conftest import make_folders, mark

OLD = ("img.image", "img.model", "img.pb", "img.mask", "far/out.image")
NEW = ("img.image", "img.model", "img.psf", "far/out.image", "far/out.model")
RENAMES = 11  # with the journal's and those of the two folders


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("far").mkdir()
    make_folders(*OLD, mark="old")
    return tmp_path


def owner(run: str = "this") -> Owner:
    return Owner.this_process(run, "now")


def finished_run() -> list[WorkFolder]:
    """The work folders of two fields, in which all products are whole."""
    folders = [WorkFolder("img"), WorkFolder("far/out")]
    for work, main in zip(folders, (".", "../../img.workdirectory"), strict=True):
        work.take(Owner(**{**vars(owner()), "main": main}))
    for name in NEW:
        work = folders[name.startswith("far")]
        make_folders(str(work.path / Path(name).name), mark="new")
    return folders


def give_names(folders: list[WorkFolder]) -> None:
    publish(folders[0].path, [move for work in folders for move in work.moves()], [work.path for work in folders])
    for work in reversed(folders):
        work.remove()


def found() -> dict[str, str]:
    paths = sorted([*Path().glob("img.*"), *Path("far").glob("out.*")])
    return {str(path): mark(path) for path in paths if "workdirectory" not in path.name}


PUBLISHED = dict(sorted({**dict.fromkeys(OLD, "old"), **dict.fromkeys(NEW, "new")}.items()))
BEFORE = dict.fromkeys(sorted(OLD), "old")


def publish_until(rename: int, *, after: bool) -> bool:
    """Publish in a process that is killed before or after it renames so many things; whether it was."""
    child = os.fork()
    if child == 0:
        count, true_rename = 0, os.rename

        def counted(source: str, target: str) -> None:
            nonlocal count
            count += 1
            if count == rename and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            true_rename(source, target)
            if count == rename and after:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            folders = finished_run()
            os.rename = os.replace = counted
            give_names(folders)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize("looks_at", ["img", "far/out"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("rename", range(1, RENAMES + 1))
def test_run_killed_at_any_rename_leaves_old_or_new(rename: int, after: bool, looks_at: str) -> None:
    assert publish_until(rename, after=after)
    complete_publications(looks_at, owner("next"))
    for work in (WorkFolder("img"), WorkFolder("far/out")):  # left by a run that is killed before its journal stands
        work.take(owner("next"))
        work.remove()
    is_early = (rename, after) == (1, False)
    assert found() == (BEFORE if is_early else PUBLISHED)


def test_every_rename_is_tried() -> None:
    assert not publish_until(RENAMES + 1, after=False)
    assert found() == PUBLISHED


def test_counted_names_are_completed_by_the_next_look_at_the_bare_name() -> None:
    work = WorkFolder("img_2")
    work.take(owner())
    make_folders("img_2.workdirectory/img_2.image", mark="new")
    publish(work.path, [], [work.path])
    work.give_up()
    complete_publications("img", owner("next"))
    assert not work.path.exists()


@pytest.mark.parametrize("name", ["img.image", "img.psf"])
def test_broken_link_under_a_final_name_is_replaced(name: str) -> None:
    if Path(name).exists():
        Path(name).rename("elsewhere")
    Path(name).symlink_to("gone")
    give_names(finished_run())
    assert found() == PUBLISHED
    assert not Path(name).is_symlink()


def test_all_is_taken_back_where_the_disk_refuses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    folders, true_rename = finished_run(), os.rename

    def refusing(source: str, target: str) -> None:
        if str(target).endswith("/far/out.model"):
            raise PermissionError(13, "Permission denied", source)
        true_rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    with pytest.raises(OutputError, match=r"can't take their final names \(Permission denied.*stands there"):
        give_names(folders)
    monkeypatch.setattr(os, "rename", true_rename)
    assert found() == BEFORE
    give_names(folders)
    assert found() == PUBLISHED
