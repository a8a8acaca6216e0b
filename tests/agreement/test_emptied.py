"""A selection that empties one data set of several: as in tclean the rest is imaged, by every engine, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.cases import CUBE, MFS
from tests.agreement.closeness import deviations
from tests.agreement.compare import compare_products, differences, peak, products
from tests.agreement.runner import Call, TaskProcess

LIMIT_S = 120.0
EARLY, LATE = "line.ms", "late.ms"
QUICK: dict[str, Any] = {**MFS, "imsize": 32, "niter": 0, "vis": [EARLY, LATE]}
NOTHING = {EARLY: ["99", ""], LATE: ["", "99"]}  # the scans that leave no row of one of the two

# Selections, of the second data set, that leave no row or can't be made.
SELECTIONS = [
    ("field", "absent"), ("field", "7"), ("spw", "5"), ("spw", "0:1~~3"), ("antenna", "XX99"), ("antenna", "0&0"),
    ("scan", "99"), ("scan", "a&b"), ("uvrange", ">900km"), ("uvrange", "far"), ("intent", "*BANDPASS*"),
    ("timerange", "2001/01/01/00:00:00~2001/01/01/01:00:00"), ("timerange", "noon"),
]  # fmt: skip


@pytest.fixture(scope="module")
def place(session_dir: Path, dataset: Callable[[str], Path]) -> Path:
    """A working folder with the data."""
    path = session_dir / "emptied"
    path.mkdir()
    for name in (EARLY, LATE, "continuum.ms"):
        (path / name).symlink_to(dataset(name.removesuffix(".ms")))
    return path


def imaged(place: Path, *calls: Call) -> list[Any]:
    """The return dictionaries of calls in a process of their own."""
    with TaskProcess(place) as process:
        outcomes = process.run(calls, place, LIMIT_S)
    assert not outcomes[-1].error, outcomes[-1].error
    return [outcome.value for outcome in outcomes]


@pytest.fixture(scope="module")
def processes(place: Path) -> Iterator[tuple[TaskProcess, TaskProcess]]:
    """One for tclean and one for pclean."""
    with TaskProcess(place) as one, TaskProcess(place) as other:
        yield one, other


@pytest.mark.parametrize(("name", "text"), SELECTIONS)
def test_what_tclean_refuses_of_one_data_set_is_refused_and_else_the_rest_is_imaged(
    name: str, text: str, place: Path, processes: tuple[TaskProcess, TaskProcess]
) -> None:
    theirs, ours = (
        process.run([Call(task, {**QUICK, name: ["", text], "imagename": f"{task}-{name}-{len(text)}"})], place)[0]
        for task, process in zip(("tclean", "pclean"), processes, strict=True)
    )
    assert bool(ours.error) == bool(theirs.error)
    if theirs.error:
        assert f"SelectionError: the selection {name}={text!r} selects nothing in 'late.ms' (" in ours.error
        return
    images = [products(place, f"{task}-{name}-{len(text)}") for task in ("tclean", "pclean")]
    assert compare_products(*images) == []
    assert peak(images[1][".residual"]) > 0


WAYS: list[dict[str, Any]] = [
    {},
    {"parallel": True, "nworkers": 2},
    {"engine": "ducc"},
    {"engine": "ducc", "parallel": True, "nworkers": 5},  # with fewer it has threads
]


@pytest.mark.parametrize(
    ("base", "emptied", "ways"),
    [
        (CUBE, EARLY, WAYS[1:3]),
        *(
            pytest.param(base, emptied, WAYS, marks=pytest.mark.long)
            for base in (CUBE, MFS)
            for emptied in (EARLY, LATE)
        ),
    ],
)
def test_every_engine_and_team_images_the_rest(
    base: dict[str, Any], emptied: str, ways: list[dict[str, Any]], place: Path
) -> None:
    """What it images is what it images of the rest alone, and the log has a warning."""
    (rest,) = {EARLY, LATE} - {emptied}
    label = f"{base['specmode']}-{emptied.removesuffix('.ms')}-{len(ways)}"
    alone, two = {**base, "vis": rest}, {**base, "vis": [LATE, EARLY], "scan": NOTHING[emptied][::-1]}
    (expected,) = imaged(place, Call("tclean", {**alone, "imagename": f"{label}-tclean"}))
    assert expected["iterdone"] > 0
    rests = [Call("pclean", {**alone, **own, "imagename": f"{label}-rest{way}"}) for way, own in enumerate(ways)]
    found = imaged(
        place,
        *(Call("pclean", {**two, **own, "imagename": f"{label}-{way}"}) for way, own in enumerate(ways)),
        *(call for call in rests if "engine" in call.params),
    )
    for way, own in enumerate(ways):
        images = products(place, f"{label}-{way}")
        if "engine" in own:
            assert compare_products(products(place, f"{label}-rest{way}"), images) == [], own
        elif own and base is MFS:
            assert list(deviations(products(place, f"{label}-tclean"), images)) == []
        else:
            assert list(differences(expected, found[way])) == [], own
            assert compare_products(products(place, f"{label}-tclean"), images) == [], own
    log = "".join(path.read_text(encoding="utf-8") for path in place.glob("casa-*.log"))
    assert f"scan='99' selects nothing in '{emptied}': that data set is left out" in log


def test_tclean_itself_ends_where_the_first_in_time_is_empty(
    place: Path, processes: tuple[TaskProcess, TaskProcess]
) -> None:
    """And images the rest where it isn't."""
    calls = [Call("tclean", {**QUICK, "scan": NOTHING[name], "imagename": name[:-3]}) for name in (LATE, EARLY)]
    last, first = processes[0].run(calls, place, LIMIT_S)
    assert last.error == ""
    assert "Data selection ended with 0 rows" in first.error


@pytest.mark.long
def test_taylor_terms_by_a_cube_span_the_windows_of_an_empty_data_set_as_in_tclean(place: Path) -> None:
    rest = {**MFS, "specmode": "mvc", "deconvolver": "mtmfs", "nterms": 2, "niter": 0, "vis": EARLY}
    two = {**rest, "vis": [EARLY, LATE], "scan": NOTHING[LATE]}
    theirs, ours, _ = (
        imaged(place, Call(task, {**parameters, "imagename": name}))
        for task, parameters, name in (
            ("tclean", two, "mvc-tclean"), ("pclean", two, "mvc-pclean"), ("pclean", rest, "mvc-alone"),
        )
    )  # fmt: skip
    assert list(differences(theirs, ours)) == []
    assert compare_products(products(place, "mvc-tclean"), products(place, "mvc-pclean")) == []
    assert compare_products(products(place, "mvc-alone"), products(place, "mvc-pclean")) != []
    assert peak(place / "mvc-pclean.residual.tt0") > 0
