"""What a run leaves in its products: a history that names task, version and parameters, and images for CASA's tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pcleantask import __version__, casa, parameters
from tests.agreement.cases import CUBE, MFS
from tests.agreement.compare import Image, differences, is_image, peak, products, read_image
from tests.agreement.runner import Call, TaskProcess

SMALL = {"niter": 60, "cycleniter": 30, "imsize": 80}
CALLS: dict[str, dict[str, Any]] = {
    "mfs": {**MFS, **SMALL},
    "mtmfs": {**MFS, **SMALL, "deconvolver": "mtmfs", "nterms": 2},
    "cube": {**CUBE, **SMALL, "nchan": 4},
}
KINDS = [*CALLS, "cube on two workers"]
TEAM = {"parallel": True, "nworkers": 2}
LIMIT_S = 180.0


@pytest.fixture(scope="module")
def process(session_dir: Path) -> Any:
    """Where casatasks run; it is loaded once."""
    folder = session_dir / "traces"
    folder.mkdir()
    with TaskProcess(folder) as tasks:
        yield tasks


@pytest.fixture(scope="module", params=KINDS)
def made(
    request: pytest.FixtureRequest, session_dir: Path, dataset: Callable[[str], Path], process: TaskProcess
) -> tuple[str, Path, Path]:
    """Kind, folder of tclean's images, folder of pclean's; both called img."""
    kind, _, team = request.param.partition(" on ")
    folders = []
    for task, more in (("tclean", {}), ("pclean", TEAM if team else {})):
        folder = session_dir / "traces" / request.param / task
        folder.mkdir(parents=True)
        call = CALLS[kind]
        (folder / call["vis"]).symlink_to(dataset(call["vis"].removesuffix(".ms")))
        done(process, folder, Call(task, {**call, **more}))
        folders.append(folder)
    return request.param, folders[0], folders[1]


def done(process: TaskProcess, folder: Path, *calls: Call) -> list[Any]:
    """Call tasks in a folder; their values."""
    outcomes = process.run(calls, folder, LIMIT_S)
    assert not [outcome.error for outcome in outcomes if outcome.error]
    return [outcome.value for outcome in outcomes]


def test_history_of_each_product_names_task_version_and_all_parameters(
    made: tuple[str, Path, Path], process: TaskProcess
) -> None:
    kind, _, folder = made
    images = [path for path in products(folder, "img").values() if is_image(path)]
    assert {".image", ".psf", ".sumwt"} <= {path.name.removeprefix("img").removesuffix(".tt0") for path in images}
    calls = [Call("imhistory", {"imagename": path.name, "verbose": False}) for path in images]
    taken = {"engine": "casa"}  # the engine where neither the call nor anybody else names one
    expected = {**parameters.defaults(), **taken, **CALLS[kind.partition(" on ")[0]], **(TEAM if "two" in kind else {})}
    for path, lines in zip(images, done(process, folder, *calls), strict=True):
        text = "\n".join(lines)
        assert text.count("taskname=pclean") == 1, path.name
        assert f"pcleantask {__version__}, CASA {casa.load().version_string()}" in text
        for name, value in expected.items():
            shown = f'"{value}"' if isinstance(value, str) else str(value)
            assert f"{name:<11} = {shown}" in text, path.name


def fits(path: Path) -> tuple[dict[str, str], bytes]:
    """Cards and data of a FITS file with one unit, without the cards on when and from what it was made.

    Nor that on the memory CASA asked for, which an assembled cube keeps with more digits.
    """
    raw = path.read_bytes()
    cards = [raw[start : start + 80].decode("latin-1") for start in range(0, len(raw), 80)]
    end = next(number for number, card in enumerate(cards) if card.startswith("END"))
    data = raw[(end * 80 // 2880 + 1) * 2880 :]
    kept = [card for card in cards[:end] if not card.startswith(("HISTORY", "DATE ", "MEMREQ"))]
    return {card[:8].strip().lower(): card[8:] for card in kept}, data


# What a task is called with -> the file it writes and how that is read; None where its return value is what counts.
NAMES = {"image": "img.image", "pb": "img.pb"}
TASKS: dict[str, tuple[dict[str, Any], str, Callable[[Path], Any] | None]] = {
    "imstat": ({"imagename": "{image}"}, "", None),
    "imfit": ({"imagename": "{image}", "box": "20,20,60,60", "chans": "0"}, "", None),
    "exportfits": ({"imagename": "{image}", "fitsimage": "x.fits", "history": False}, "x.fits", fits),
    "impbcor": ({"imagename": "{image}", "pbimage": "{pb}", "outfile": "x.pbcor"}, "x.pbcor", read_image),
    "imsubimage": ({"imagename": "{image}", "outfile": "x.sub", "box": "10,10,40,30"}, "x.sub", read_image),
    "immoments": ({"imagename": "{image}", "moments": [0], "outfile": "x.mom"}, "x.mom", read_image),
}  # fmt: skip


def test_casatasks_take_the_products_as_they_take_tcleans(made: tuple[str, Path, Path], process: TaskProcess) -> None:
    kind, theirs, ours = made
    names = {name: path + (".tt0" if kind == "mtmfs" else "") for name, path in NAMES.items()}
    assert peak(ours / names["image"]) > 0.1
    for task, (given, written, read) in TASKS.items():
        if task == "immoments" and not kind.startswith("cube"):
            continue
        call = Call(
            task, {name: value.format(**names) if isinstance(value, str) else value for name, value in given.items()}
        )
        values = [done(process, folder, call)[0] for folder in (theirs, ours)]
        if read is None:
            assert values[0], task
            assert list(differences(*values)) == [], task
        else:
            assert unlike(*(read(folder / written) for folder in (theirs, ours))) == [], task


def unlike(theirs: Any, ours: Any) -> list[str]:
    """Where two images, or two pairs of cards and data, differ."""
    if not isinstance(theirs, Image):
        return [*differences(theirs[0], ours[0]), *(["data"] if theirs[1] != ours[1] else [])]
    pixels = (theirs.pixels == ours.pixels).all() and (theirs.good == ours.good).all()
    return [*differences(theirs.description, ours.description), *([] if pixels else ["pixels"])]
