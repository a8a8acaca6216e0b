"""A drawn case, imaged by tclean and by pclean in its ways, each in a process of its own, and judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compare import compare_products, differences, listing, products
from drawing import Drawn, Params
from judging import continuum_problems, ducc_problems
from matrix import UNSPLIT
from runner import Call, Outcome, TaskProcess

LIMIT_S = 180.0
NAME, DIRTY = "img", "dirty"
OK, REFUSED, BEYOND, DIFFERS = "ok", "refused alike", "not done by ducc", "DIFFERS"
NOT_DUCC = ("engine='ducc' doesn't do", "isn't available with engine='ducc'")


@dataclass(frozen=True)
class Verdict:
    """What a way of imaging came to: one of the four words above, and what differs, a line each."""

    word: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """What a process made: its folder, its outcomes, a call each, and whether pclean said that it didn't split."""

    folder: Path
    outcomes: list[Outcome]
    whole: bool = False

    @property
    def refusal(self) -> str:
        """Why there are no images: the last line of the error, or that tclean returned None; '' where it imaged."""
        last = self.outcomes[-1]
        if last.error:
            return error_line(last.error)
        return "" if last.value is not None else "returned None"


def error_line(text: str) -> str:
    """The line of a traceback that names the error."""
    lines = [line for line in text.splitlines() if line and not line[0].isspace()]
    named = [line for line in lines if line.split(":")[0].endswith(("Error", "Exception", "Interrupt"))]
    return (named or lines or ["?"])[-1][:300]


def search(drawn: Drawn, folder: Path, kinds: tuple[str, ...]) -> dict[str, Verdict]:
    """Image the case in each of `kinds` ways ('serial', 'parallel', 'ducc') and judge it by tclean; way -> verdict."""
    data = folder / "data"
    data.mkdir(parents=True)
    drawn.make(data)
    dirty = [{"imagename": DIRTY, "niter": 0}] if "ducc" in kinds and drawn.params["niter"] > 0 else []
    expected = run(drawn, folder, "tclean", [{}, *dirty])
    found = {}
    for kind in kinds:
        own, judge = WAYS[kind]
        calls = [{}, *dirty] if kind == "ducc" else [{}]
        ran = run(drawn, folder, kind, [{**call, **own(drawn)} for call in calls])
        found[kind] = verdict(drawn, expected, ran, judge)
    return found


def run(drawn: Drawn, folder: Path, name: str, calls: list[Params]) -> Ran:
    """Run tclean or a way of pclean in a new process and a new folder, on a copy of the data."""
    here, logs = folder / name, folder / f"{name}-logs"
    logs.mkdir()
    shutil.copytree(folder / "data", here)
    task = "tclean" if name == "tclean" else "pclean"
    with TaskProcess(logs) as process:
        outcomes = process.run([Call(task, {**drawn.params, **call}) for call in calls], here, LIMIT_S)
    return Ran(here, outcomes, any(UNSPLIT in path.read_text(encoding="utf-8") for path in logs.glob("casa-*.log")))


def verdict(drawn: Drawn, expected: Ran, found: Ran, judge: Callable[[Drawn, Ran, Ran], list[str]]) -> Verdict:
    """Judge one way of imaging by what tclean did."""
    if found.refusal and any(words in found.refusal for words in NOT_DUCC):
        return Verdict(BEYOND)
    if found.refusal and "pcleantask.errors." not in found.refusal:
        return Verdict(DIFFERS, (f"no named error: {found.refusal}",))
    if expected.refusal and found.refusal:
        return Verdict(REFUSED, (f"tclean: {expected.refusal}; pclean: {found.refusal}",))
    if expected.refusal or found.refusal:
        return Verdict(DIFFERS, (f"tclean: {expected.refusal or 'images'}; pclean: {found.refusal or 'images'}",))
    problems = judge(drawn, expected, found)
    return Verdict(DIFFERS if problems else OK, tuple(problems))


def _bits(drawn: Drawn, expected: Ran, found: Ran) -> list[str]:
    """Where the images, their descriptions, what lies beside them and what was returned are not tclean's bits."""
    problems = list(differences(expected.outcomes[0].value, found.outcomes[0].value, "returned"))
    problems += differences(_files(expected), _files(found), "files left")
    for name in _images(drawn):
        problems += [f"{name}{line}" for line in compare_products(*_both(expected, found, name))]
    return problems


def _parallel(drawn: Drawn, expected: Ran, found: Ran) -> list[str]:
    if drawn.is_cube or found.whole:
        return _bits(drawn, expected, found)
    return [line for name in _images(drawn) for line in continuum_problems(*_both(expected, found, name))]


def _ducc(drawn: Drawn, expected: Ran, found: Ran) -> list[str]:
    name = DIRTY if len(expected.outcomes) > 1 else NAME
    return list(ducc_problems(drawn, *_both(expected, found, name)))


def _images(drawn: Drawn) -> list[str]:
    return [NAME, "outlier"] if drawn.files else [NAME]


def _both(expected: Ran, found: Ran, name: str) -> Iterator[dict[str, Path]]:
    return (products(ran.folder, name) for ran in (expected, found))


def _files(ran: Ran) -> list[str]:
    return [name for name in listing(ran.folder) if not name.startswith(DIRTY)]


# Way of imaging -> parameters that only pclean has, and how it is judged.
WAYS: dict[str, tuple[Callable[[Drawn], Params], Callable[[Drawn, Ran, Ran], list[str]]]] = {
    "serial": (lambda _: {}, _bits),
    "parallel": (lambda drawn: {"parallel": True, "nworkers": drawn.nworkers}, _parallel),
    "ducc": (lambda _: {"engine": "ducc"}, _ducc),
}
