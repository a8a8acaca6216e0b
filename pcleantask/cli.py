"""The command line: `pclean image --vis x.ms --imagename y ...`. Options and help are made from the task's XML."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import rules
from .casanames import CasaNames
from .engines import CHOICES, engine_by_default
from .errors import BlankImageError, ParameterError, PcleanError
from .images.products import counted_names, products, sumwt_of
from .inputs import read_text
from .lastfile import read_last
from .parallel.asked import parallel_by_default
from .parameters import Parameter, definitions, groups
from .private.task_call import errors_told_by_caller
from .processes import mpi_team
from .processes.environment import launched_rank, launched_ranks
from .processes.script_run import run_module, run_script
from .processes.signals import INTERRUPTED, TERMINATED, ended_by_interrupt
from .standin import replace_tclean
from .version import __version__

FAILED, USAGE, BLANK = 1, 2, 3  # exit statuses, besides those of processes.signals
STATUSES = (
    f"Exit status: 0 images are made; {BLANK} nothing was gridded, so that images are blank, or can't be made; {USAGE} "
    f"parameters, or the data they name, can't be imaged with; {FAILED} the run has failed; {INTERRUPTED} it was "
    f"interrupted, {TERMINATED} ended by SIGTERM. What is wrong is told on standard error and in the CASA log. After a "
    "run that was ended, however, the same command goes on with it."
)
IMAGE = "image"
RUN = "run"  # the command whose words are a script's
STATUS, FINISH = "status", "finish"  # commands about a run that is going on, or was ended
REPLACE, NWORKERS, ENGINE, MODULE = "--replace-tclean", "--nworkers", "--engine", "-m"
NEGATIVE = re.compile(r"-[\d.]")  # argparse takes -1e-3 and -15km/s for options, unless a space comes first


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 only when the images are there."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if launched_ranks(os.environ):
        return _on_all_ranks(words)
    own, script = _split_at_script(words[1:])
    parser = _parser()
    if words[:1] == [RUN] and script:
        return _run(parser.parse_args([RUN, *own, script[0]]), script)
    try:
        if words[:1] in ([STATUS], [FINISH]):
            return _ask(parser.parse_args(words))
        parameters, options = _parameters(words, parser)
        with ended_by_interrupt(_tell_of_interrupt):
            return _image(parameters, as_json=options.json)
    except ParameterError as error:
        print(f"pclean: {error}", file=sys.stderr)
        return USAGE
    except PcleanError as error:
        print(f"pclean: {error}", file=sys.stderr)
        return BLANK if isinstance(error, BlankImageError) else FAILED
    except KeyboardInterrupt:
        _tell_of_interrupt()
        return INTERRUPTED


def _tell_of_interrupt() -> None:
    print("pclean: interrupted; the same command goes on from the last whole minor cycle", file=sys.stderr)


def image_parameters(words: Sequence[str]) -> dict[str, Any]:
    """The parameters that words, files among them, stand for on the command line of `pclean image`.

    Raises
    ------
    ParameterError, MissingInputError
        A name or a value is wrong, or a file can't be read. SystemExit for other words that have no place.
    """
    return _parameters([IMAGE, *words], _parser())[0]


def _parameters(words: Sequence[str], parser: argparse.ArgumentParser) -> tuple[dict[str, Any], argparse.Namespace]:
    """The task's parameters in the words of a command line, and its options."""
    given, saved = _read_files(words)
    options, strange = parser.parse_known_args([f" {word}" if NEGATIVE.match(word) else word for word in given])
    _refuse_unknown(strange, parser, options.command)
    return {**saved, **_given(options)}, options


def _split_at_script(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of `pclean run` that are its own, and those from the script or module on, which are not argparse's."""
    rest = list(words)
    own = []
    while rest and rest[0].startswith("-"):
        own.append(rest.pop(0))
        if own[-1] == "--":
            break
        if own[-1] in (NWORKERS, ENGINE) and rest:
            own.append(rest.pop(0))
    return own, rest


def _run(options: argparse.Namespace, script: Sequence[str]) -> int:
    """Run the script or module, given with its arguments; its exit status."""
    if options.nworkers is not None:
        parallel_by_default(options.nworkers)
    if options.engine is not None:
        engine_by_default(options.engine)
    if options.replace_tclean:
        replace_tclean()
    if options.module:
        return run_module(script[0], script[1:])
    return run_script(script[0], script[1:], CasaNames() if options.replace_tclean else None)


def _on_all_ranks(words: list[str]) -> int:
    """Take part, as a rank of an MPI job, in what its lead runs; the lead's exit status."""
    from .processes.job import run_command

    try:
        return run_command(words)
    except PcleanError as error:
        if launched_rank(os.environ) == 0:
            print(f"pclean: {error}", file=sys.stderr)
        return USAGE if isinstance(error, ParameterError) else FAILED


def _refuse_unknown(words: Sequence[str], parser: argparse.ArgumentParser, command: str) -> None:
    """Refuse what the parser couldn't place; an unknown parameter with the nearest name there is."""
    options = {word.removeprefix("--").partition("=")[0]: word for word in words if word.startswith("--")}
    if command != RUN:
        rules.check_names(options, definitions())
    if words:
        parser.error(f"can't place {shlex.join(words)!r}; options begin with --, values that begin with -: --X=-value")


def _image(parameters: dict[str, Any], *, as_json: bool) -> int:
    """Call the task, print its result, and say whether its images are there."""
    from .images.planes import blank_planes
    from .pclean import pclean

    if mpi_team.link() is not None:
        parameters.setdefault("parallel", True)  # as it will be
    names: tuple[str, ...] = (rules.image_name(parameters.get("imagename", "")),)
    if parameters.get("restart") is False:
        names = counted_names(names)
    with errors_told_by_caller():
        result = pclean(**parameters)
    if as_json:
        print(json.dumps(result, default=_jsonable))
    if not any(products(names[0])):
        return FAILED
    kind = (parameters.get("deconvolver", ""), parameters.get("specmode", ""))
    return BLANK if blank_planes(sumwt_of(names[0], *kind)).all() else 0


def _jsonable(value: Any) -> Any:
    """numpy's arrays and numbers as JSON has them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pclean", description="CASA's tclean: the same parameters, the same images.")
    parser.add_argument("--version", action="version", version=f"pcleantask {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    image = commands.add_parser(
        IMAGE,
        help="make images of visibilities",
        description="Make images of visibilities. The options are tclean's parameters. @FILE reads options from a "
        "file: either as they stand on the command line, or a saved pclean.last or tclean.last, or JSON; options given "
        "beside it win.",
        usage="pclean image --vis MS [MS ...] --imagename NAME [--PARAMETER VALUE ...] [@FILE ...] [--json]",
        epilog=STATUSES,
        allow_abbrev=False,
    )
    image.add_argument("--json", action="store_true", help="print the return dictionary as JSON on standard output")
    for title, members in groups().items():
        group = image.add_argument_group(title)
        for parameter in members:
            _add_option(group, parameter)
    run = commands.add_parser(
        RUN,
        help="run a script or a module, under mpirun once for all ranks",
        description="Run a Python script, or a module as `python -m` does. Under mpirun it runs once, and every pclean "
        "call in it uses all ranks; other CASA tasks work in it as ever. Its arguments, input and exit status are its "
        "own. In the CASA shell: pclean run -m casashell -c SCRIPT.",
        usage=f"[mpirun -n N] pclean run [{REPLACE}] [{NWORKERS} N] [{ENGINE} ENGINE] "
        f"(SCRIPT | {MODULE} NAME) [ARGUMENT ...]",
        allow_abbrev=False,
    )
    run.add_argument(
        REPLACE,
        action="store_true",
        help="tclean is pclean in this run, however it is reached; a script has CASA's names without imports",
    )
    run.add_argument(MODULE, action="store_true", dest="module", help="run the module of that name")
    run.add_argument(
        NWORKERS,
        type=_worker_count,
        metavar="N",
        help="every pclean call in the script is parallel, on N workers, whatever its parallel says; 0 is one per core "
        "(default: what each call says; in an MPI job all ranks, here N of them)",
    )
    run.add_argument(
        ENGINE,
        choices=CHOICES,
        help="the engine of pclean calls in the script that name none (default: what PCLEAN_ENGINE says, or casa)",
    )
    _add_run_commands(commands)
    run.add_argument("script", metavar="SCRIPT", help="the path of the script; what follows it is the script's own")
    return parser


def _add_run_commands(commands: Any) -> None:
    """The commands about a run that is going on, or was ended."""
    status = commands.add_parser(
        STATUS,
        help="what a run is at, and what the same call would go on with",
        description="What the run under a name is at, where and since when; or was at when it was ended, and what the "
        "same call would go on with.",
    )
    status.add_argument("--json", action="store_true", help="print it as JSON")
    finish = commands.add_parser(
        FINISH,
        help="let the running cycle of a run be its last",
        description="Let the running cycle be the last of the run under a name: it restores its images and gives them "
        "their names as ever, with stop code 3. From any host that sees the folder.",
    )
    for command in (status, finish):
        command.add_argument("imagename", metavar="IMAGENAME", help="the imagename of the run")


def _ask(options: argparse.Namespace) -> int:
    """Tell of a run, or ask it to finish; the exit status."""
    from .runs.status import ask_to_finish, in_words, status

    name = rules.image_name(options.imagename)
    if options.command == FINISH:
        ask_to_finish(name)
        return 0
    told = status(name)
    print(json.dumps(told) if options.json else in_words(told))
    return 0


def _worker_count(word: str) -> int:
    """The number of workers that a word of the command line stands for."""
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number of workers, or 0 for one per core, got {word!r}")
    return int(word)


def _add_option(group: argparse._ArgumentGroup, parameter: Parameter) -> None:
    flag = parameter.types == ("bool",)
    choices = f"; one of {', '.join(parameter.choices)}" if parameter.choices else ""
    group.add_argument(
        f"--{parameter.name}",
        nargs="*" if not flag else "?",
        const="True" if flag else None,
        default=argparse.SUPPRESS,
        metavar="BOOL" if flag else "VALUE",
        help=f"{parameter.short} (default: {parameter.default!r}{choices})".replace("%", "%%"),
    )


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The parameters given on the command line, in Python's types."""
    values = vars(options)
    return {name: _value(parameter, values[name]) for name, parameter in definitions().items() if name in values}


def _value(parameter: Parameter, words: str | list[str]) -> Any:
    """The value that one word, or several, stand for."""
    if isinstance(words, str):
        return parameter.from_text(words)
    values = [parameter.from_text(word) for word in words]
    if len(values) == 1:
        return values[0]
    if not values:
        return [] if parameter.is_list else ""
    return [entry for value in values for entry in (value if isinstance(value, list) else [value])]


def _read_files(arguments: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Replace each @FILE: words of a file of options stand in its place, values of a .last or JSON file come second."""
    words: list[str] = []
    saved: dict[str, Any] = {}
    for word in arguments:
        if not word.startswith("@"):
            words.append(word)
            continue
        text = read_text("the file of options", word[1:])
        if text.lstrip().startswith("{"):
            saved |= _read_json(text, word[1:])
        elif any(line.lstrip().startswith("--") for line in text.splitlines()):
            words += _words_of(text, word[1:])
        else:
            saved |= read_last(text, word[1:])
    return words, saved


def _words_of(text: str, where: str) -> list[str]:
    """The words of a file of options."""
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise ParameterError(f"{where}: the options can't be read ({error})") from error


def _read_json(text: str, where: str) -> dict[str, Any]:
    """The parameters in a JSON object."""
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise ParameterError(f"{where}: not JSON ({error})") from error


if __name__ == "__main__":
    sys.exit(main())
