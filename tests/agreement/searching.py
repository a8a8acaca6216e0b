"""A drawn case, imaged by tclean and by pclean in its ways, each in a process of its own, and judged."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from pcleantask import casa
from pcleantask.traits import GRIDDERS
from tests.agreement.compare import compare_products, differences, listing, products
from tests.agreement.drawing import Drawn, Params
from tests.agreement.judging import FLAT, cleaned_difference, continuum_problems, ducc_problems, have_less, may_be_lost
from tests.agreement.matrix import UNSPLIT
from tests.agreement.runner import Outcome, serve
from tests.agreement.shaking import shake

LIMIT_S = 180.0
FORK = multiprocessing.get_context("fork")
NAME, DIRTY, ALL = "img", "dirty", "all"
OK, REFUSED, BEYOND, DIFFERS = "ok", "refused alike", "not done by ducc", "DIFFERS"
MORE = "images what tclean fails at"
CRASHED = "the process ended with exit code"  # in CASA's C++, as tclean does
MASKING_FAILED = ("failed in deconvolution", "Pixels must be square")  # CASA's automask; pclean's is its own
SLOW = "not judged: tclean takes too long"  # its fits of a beam to a visibility or two may take minutes
NO_ANSWER = f"no answer after {LIMIT_S} s"
UNSTEADY = "ok as far as tclean repeats itself"  # a continuum image: with noise of its rounding it differs as much
SHAKEN = tuple(f"shaken-{number}" for number in range(8))  # near-equal peaks go either way in half of them
NOT_DUCC = ("engine='ducc' doesn't do", "isn't available with engine='ducc'")


@dataclass(frozen=True)
class Verdict:
    """What a way of imaging came to: one of the words above, what differs, a line each, and a figure to read."""

    word: str
    problems: tuple[str, ...] = ()
    note: str = ""


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


def search(make: Callable[[], Drawn], folder: Path, kinds: tuple[str, ...]) -> dict[str, Verdict]:
    """Image a case in each of `kinds` ways ('serial', 'parallel', 'ducc') and judge it by tclean; way -> verdict.

    The processes are forked of this one, which has CASA loaded but mustn't have used it: what it has computed for
    other times and places changes the last bits of frequencies. `make` draws the case when they are there.
    """
    folder.mkdir(exist_ok=True)
    sides = {name: Side(folder, name) for name in ("tclean", *SHAKEN, *kinds)}
    drawn = make()
    (folder / "data").mkdir()
    drawn.make(folder / "data")
    dirty, flat = _calls_for_ducc(drawn) if "ducc" in kinds else ([], [])
    expected = sides["tclean"].run(drawn, "tclean", [{}, *dirty, *flat])
    found = {}
    for kind in kinds:
        own, judge = WAYS[kind]
        calls = [{}, *dirty] if kind == "ducc" else [{}]
        ran = sides[kind].run(drawn, "pclean", [{**call, **own(drawn)} for call in calls])
        found[kind] = verdict(drawn, expected, ran, judge)
        may_vary = judge is _parallel and not drawn.is_cube and not ran.refusal
        if found[kind].word == DIFFERS and may_vary:
            varied: set[str] = set()
            for name in SHAKEN:
                varied |= _names(_varied(drawn, expected, sides[name]))
                if _names(found[kind].problems) <= varied:
                    found[kind] = Verdict(UNSTEADY, found[kind].problems)
                    break
    return found


def _calls_for_ducc(drawn: Drawn) -> tuple[list[Params], list[Params]]:
    """Calls beside the case's own by which engine='ducc' is judged: of both tasks, and of tclean alone.

    Dirty images, without outliers, which such a call would write over; where tclean may lose data sets, those of all.
    """
    dirty: Params = {"niter": 0, "outlierfile": ""}
    both = [{**dirty, "imagename": DIRTY}] if drawn.params["niter"] > 0 else []
    if may_be_lost(drawn):
        both.append({**dirty, "imagename": ALL, "gridder": "standard", "weighting": "natural"})
    wide = GRIDDERS[drawn.params["gridder"]].takes_w
    return both, [{**dirty, "imagename": FLAT, "gridder": "standard"}] if wide else []


def _varied(drawn: Drawn, expected: Ran, side: Side) -> list[str]:
    """What differs between tclean's images and those that it makes of data with a little noise."""
    ran = side.run(drawn, "tclean", [{}], shaken=True)
    return [] if ran.refusal else _parallel(drawn, expected, ran)


def _names(problems: Iterable[str]) -> set[str]:
    """Which images differ, or what else."""
    return {problem.split(":")[0] for problem in problems}


class Side:
    """A process for one task, which waits for its calls, and the folder that it runs in.

    Parameters
    ----------
    folder : Path
        Of the case, which has its data in `data`.
    name : str
        Of the folder in it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._data, self._folder, self._log = folder / "data", folder / name, folder / f"{name}.log"
        self._connection, there = FORK.Pipe()
        self._process = FORK.Process(target=self._serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def _serve(self, connection: Connection) -> None:
        self._connection.close()
        with self._log.open("a") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        casa.use_log(str(self._log))
        serve(connection)

    def run(self, drawn: Drawn, task: str, calls: list[Params], *, shaken: bool = False) -> Ran:
        """Run the calls of a task, each the case's with the parameters given, on a copy of the data."""
        shutil.copytree(self._data, self._folder)
        for vis in drawn.data if shaken else ():
            shake(self._folder / vis, drawn.seed + SHAKEN.index(self._folder.name))
        self._connection.send(([(task, {**drawn.params, **call}) for call in calls], str(self._folder)))
        try:
            if self._connection.poll(LIMIT_S):
                outcomes = [Outcome(*answer) for answer in self._connection.recv()]
            else:
                outcomes = [Outcome(None, NO_ANSWER, LIMIT_S)]
        except (EOFError, ConnectionResetError):
            self._process.join()
            outcomes = [Outcome(None, f"{CRASHED} {self._process.exitcode}", 0.0)]
        self._process.kill()  # its connection stays open in those that were forked after it
        self._process.join()
        return Ran(self._folder, outcomes, UNSPLIT in self._log.read_text(encoding="utf-8"))


def verdict(drawn: Drawn, expected: Ran, found: Ran, judge: Callable[[Drawn, Ran, Ran], list[str]]) -> Verdict:
    """Judge one way of imaging by what tclean did."""
    if expected.refusal == NO_ANSWER:
        return Verdict(SLOW)
    if found.refusal and any(words in found.refusal for words in NOT_DUCC):
        return Verdict(BEYOND)
    if CRASHED in expected.refusal and CRASHED in found.refusal:
        return Verdict(REFUSED, (f"tclean: {expected.refusal}; pclean: {found.refusal}",))
    if found.refusal and "pcleantask.errors." not in found.refusal:
        return Verdict(DIFFERS, (f"no named error: {found.refusal}",))
    if expected.refusal and found.refusal:
        return Verdict(REFUSED, (f"tclean: {expected.refusal}; pclean: {found.refusal}",))
    if expected.refusal and (judge is _ducc or any(words in expected.refusal for words in MASKING_FAILED)):
        return Verdict(MORE)
    if expected.refusal or found.refusal:
        return Verdict(DIFFERS, (f"tclean: {expected.refusal or 'images'}; pclean: {found.refusal or 'images'}",))
    problems = judge(drawn, expected, found)
    if problems and judge is _ducc and may_be_lost(drawn):
        natural = replace(drawn, params={**drawn.params, "gridder": "standard", "weighting": "natural"})
        of_all = ducc_problems(natural, expected.folder, *_both(expected, found, ALL))
        if have_less(*_both(expected, found, _judged(drawn))) and not list(of_all):
            return Verdict(MORE, tuple(problems))
    note = cleaned_difference(*_both(expected, found, NAME)) if judge is _ducc and drawn.params["niter"] > 0 else ""
    return Verdict(DIFFERS if problems else OK, tuple(problems), note)


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
    return [f"{name}{line}" for name in _images(drawn) for line in continuum_problems(*_both(expected, found, name))]


def _ducc(drawn: Drawn, expected: Ran, found: Ran) -> list[str]:
    return list(ducc_problems(drawn, expected.folder, *_both(expected, found, _judged(drawn))))


def _judged(drawn: Drawn) -> str:
    """The name of the images that engine='ducc' is judged by: dirty ones."""
    return DIRTY if drawn.params["niter"] > 0 else NAME


def _images(drawn: Drawn) -> list[str]:
    return [NAME, "outlier"] if drawn.files else [NAME]


def _both(expected: Ran, found: Ran, name: str) -> Iterator[dict[str, Path]]:
    return (products(ran.folder, name) for ran in (expected, found))


def _files(ran: Ran) -> list[str]:
    return [name for name in listing(ran.folder) if not name.startswith((DIRTY, ALL, FLAT))]


# Way of imaging -> parameters that only pclean has, and how it is judged.
WAYS: dict[str, tuple[Callable[[Drawn], Params], Callable[[Drawn, Ran, Ran], list[str]]]] = {
    "serial": (lambda _: {}, _bits),
    "parallel": (lambda drawn: {"parallel": True, "nworkers": drawn.nworkers}, _parallel),
    "ducc": (lambda _: {"engine": "ducc"}, _ducc),
}
