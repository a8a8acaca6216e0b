"""The only door to casatools: data set-up, loading, tools as context managers, the log.

Nothing heavy is imported until `load` is called. casatools refuses to import where it finds no measures data; `load`
points it to the data of the package `casadata` unless the user's own configuration names a place that has them.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import CasaSetupError, ImagingError
from .memory import check_casa_fits, left_by_limits
from .ownprocess import allow_many_files, interrupts_held, making_temporary_file, tune_malloc, without_new_ports

MEASURES_MARK = os.path.join("geodetic", "IERSeop2000")  # the table whose absence makes casatools refuse to import
NO_DATA = (
    "casatools needs its data tables (antenna layouts, Earth orientation), and neither your CASA configuration "
    "(~/.casa/config.py: measurespath, datapath) nor the package casadata provides them. "
    "Way out: pip install 'pcleantask[data]'  (840 MB), or set measurespath in ~/.casa/config.py"
)

# casaconfig's settings that say where the data are, and whether casatools may fetch newer ones.
DATA_SETTINGS = ("measurespath", "datapath", "measures_auto_update", "data_auto_update")
DATA_VARIABLE = "PCLEANTASK_CASA_DATA"  # a parent's settings, as JSON

# FFTW's libraries of threads in the folder of casatools, for single and double precision -> how their functions begin.
FFTW = {"__casac__/lib/libfftw3f_threads.so*": "fftwf", "__casac__/lib/libfftw3_threads.so*": "fftw"}

# What stands before a message in CASA's log, and in the middle of errors that were messages: date, priority, origin.
# The origin of a further line of a message ends with a +.
LOG_HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\t(?P<priority>\w*)\t(?P<origin>[^\t]*)\t")
GRAVE = ("WARN", "SEVERE")
UNRELATED = "MeasTable::"  # whose complaints, of old tables, have to do with no call
REASONS = 3  # messages before an error that are told with it

# A thread's turn to use CASA: casatools lets others run while it works, and casacore can't be in two threads at once.
turn = threading.RLock()


def _has_measures(path: str | None) -> bool:
    return bool(path) and os.path.isdir(os.path.join(os.path.expanduser(str(path)), MEASURES_MARK))


def _casadata_path() -> str | None:
    """The data folder of the installed package casadata, found without importing it."""
    spec = importlib.util.find_spec("casadata")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = os.path.join(next(iter(spec.submodule_search_locations)), "__data__")
    return path if _has_measures(path) else None


@contextlib.contextmanager
def _bare_command_line() -> Iterator[None]:
    """casaconfig parses sys.argv when it is imported; hide the options, which are ours and not its."""
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = arguments


def _set_up_data() -> None:
    """Point casaconfig to measures data, if the user's configuration does not."""
    from casaconfig import config

    for name, value in json.loads(os.environ.get(DATA_VARIABLE, "{}")).items():
        setattr(config, name, value)
    if _has_measures(config.measurespath) or any(_has_measures(path) for path in config.datapath):
        return
    path = _casadata_path()
    if path is None:
        if os.path.isdir(os.path.expanduser(config.measurespath or "")) and config.measures_auto_update:
            return  # the user's own folder, empty as yet: casatools fills it by itself
        raise CasaSetupError(NO_DATA)
    config.measurespath = path
    config.datapath = [path]
    config.measures_auto_update = False
    config.data_auto_update = False


def data_environment() -> dict[str, str]:
    """The variable by which a child of this process finds CASA's data where this one does, set in Python or not."""
    with _bare_command_line():
        from casaconfig import config
    return {DATA_VARIABLE: json.dumps({name: getattr(config, name) for name in DATA_SETTINGS})}


def set_up(*, for_shell: bool = False) -> None:
    """Let casatools and casatasks be imported by others: point casaconfig to the data, if there are any.

    `for_shell`: the command line is that of CASA's shell, whose options casaconfig reads.
    """
    command_line = contextlib.nullcontext() if for_shell else _bare_command_line()
    with command_line, contextlib.suppress(CasaSetupError):  # who imports casatools will be told
        _set_up_data()


def plan_transforms(threads: int) -> None:
    """Have CASA's next Fourier transforms planned for so many threads: their last bits depend on the number.

    Its gridder sets it anew, to the number of OpenMP's threads. Nothing happens where casatools brings no FFTW.
    """
    folder = Path(str(load().__file__)).parent
    for file, prefix in FFTW.items():
        for path in folder.glob(file):
            getattr(ctypes.CDLL(str(path)), f"{prefix}_plan_with_nthreads")(threads)


@functools.cache
def load() -> ModuleType:
    """Set up CASA's data, load casatools and return it.

    Raises
    ------
    CasaSetupError
        casatools, one of its libraries, or its data is missing.
    MemoryLimitError
        A limit leaves no room for it.
    """
    if "casatools" not in sys.modules:
        check_casa_fits()
        with _bare_command_line():
            try:
                _set_up_data()
                with interrupts_held(), without_new_ports():
                    casatools = importlib.import_module("casatools")
            except CasaSetupError:
                raise
            except ImportError as error:
                raise CasaSetupError(
                    f"casatools can't be imported: {error}. Way out: see README, Troubleshooting"
                ) from error
    else:
        casatools = sys.modules["casatools"]
    tune_malloc()
    allow_many_files()
    if "casatasks" not in sys.modules:
        _own_log()
    return casatools


def version() -> tuple[int, ...]:
    """The version of the casatools at hand, such as (6, 7, 0, 31)."""
    return tuple(map(int, load().version()))


def takes(method: Callable[..., Any], parameter: str) -> bool:
    """Whether a tool's method has that parameter in the casatools at hand."""
    return parameter in inspect.signature(method).parameters


@contextlib.contextmanager
def tool(name: str) -> Iterator[Any]:
    """A new casatools tool of that name (`quanta`, `synthesisutils`, ...), released at the end."""
    with turn:
        instance = getattr(load(), name)()
        try:
            yield instance
        finally:
            instance.done()


@contextlib.contextmanager
def _opened(name: str, path: str, **options: Any) -> Iterator[Any]:
    """A new casatools tool of that name with what is at `path` open, closed at the end."""
    with turn:
        instance = getattr(load(), name)()
        try:
            instance.open(path, **options)
        except RuntimeError as error:
            instance.done()
            raise ImagingError(f"{path!r} can't be opened ({first_line(error)})") from error
        try:
            yield instance
        finally:
            instance.close()


def opened_table(path: str, *, writable: bool = False, is_held: bool = False) -> contextlib.AbstractContextManager[Any]:
    """The table tool with the table at `path` open; `is_held` says that its lock is given up at the end alone."""
    lock = {"lockoptions": {"option": "permanentwait"}} if is_held else {}
    return _opened("table", path, nomodify=not writable, **lock)


def opened_ms(path: str) -> contextlib.AbstractContextManager[Any]:
    """The ms tool with the MeasurementSet at `path` open, read-only."""
    return _opened("ms", path)


def opened_image(path: str) -> contextlib.AbstractContextManager[Any]:
    """The image tool with the image at `path` open."""
    return _opened("image", path)


def log() -> Any:
    """The CASA log sink: casatasks' own where that is loaded, else one on the same file, made once."""
    load()
    casatasks = sys.modules.get("casatasks")
    return _own_log() if casatasks is None else casatasks.casalog


@functools.cache
def _own_log() -> Any:
    """A log sink such as casatasks/__init__.py makes at its import, for the whole process.

    Without it casatools' messages go to the terminal.
    """
    from casaconfig import config

    sink = sys.modules["casatools"].logsink(config.logfile)
    sink.setglobal(True)
    return sink


def post(message: str, priority: str = "INFO", origin: str = "pclean") -> None:
    """Write one message to the CASA log."""
    with turn:
        log().post(message, priority=priority, origin=origin)


@contextlib.contextmanager
def without_messages(*texts: str) -> Iterator[None]:
    """Keep messages with one of these texts in them out of the CASA log.

    casatools can neither list its message filters nor drop one of them: filters that the user has set end with this.
    """
    sink = log()
    sink.filterMsg(list(texts))
    try:
        yield
    finally:
        sink.clearFilterMsgList()


def openmp_threads() -> int:
    """Threads on which CASA computes in this process."""
    return int(log().ompGetNumThreads())


@contextlib.contextmanager
def on_openmp_threads(number: int) -> Iterator[None]:
    """Let CASA compute on so many threads meanwhile."""
    former = openmp_threads()
    log().ompSetNumThreads(number)
    try:
        yield
    finally:
        log().ompSetNumThreads(former)


@contextlib.contextmanager
def off_screen() -> Iterator[None]:
    """Keep what C++ writes to standard error, CASA's warnings among it, from there; the log has it all the same."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def first_line(error: BaseException) -> str:
    """CASA's message without the trace that some tools add to it."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def grave_messages(text: str) -> list[tuple[str, str]]:
    """Origin and message of each warning and error in the text of a CASA log, those of several lines in one."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        head = LOG_HEAD.match(line)
        if head is None or head["priority"] not in GRAVE:
            continue
        message = line[head.end() :].strip()
        if head["origin"].rstrip().endswith("+") and found:
            origin, begun = found.pop()
            message = f"{begun} {message}"
        else:
            origin = head["origin"]
        found.append((origin, message))
    return found


@contextlib.contextmanager
def working_on(stage: str) -> Iterator[None]:
    """Turn a CASA tool's RuntimeError into an ImagingError that says at which stage it failed, and why.

    Tools often keep the reason to the log: warnings that came there while the tool worked are told with the error.
    """
    with _readable_log() as path:
        begin = path.stat().st_size if path.exists() else 0
        try:
            yield
        except ImagingError:
            raise
        except RuntimeError as error:
            said = LOG_HEAD.sub("", str(error)).strip()
            reasons = [reason for reason in _reasons(path, begin) if reason not in said]
            told = f" ({'; '.join(reasons)})" if reasons else ""
            raise ImagingError(f"CASA failed while {stage}: {said}{told}") from error


@contextlib.contextmanager
def _readable_log() -> Iterator[Path]:
    """The file to which CASA logs; meanwhile one of our own where the user has it log to none, such as /dev/null."""
    path = Path(str(log().logfile()))
    if path.is_file() or not path.exists():
        yield path
        return
    with making_temporary_file():
        own = tempfile.NamedTemporaryFile(prefix="pclean-", suffix=".log")  # noqa: SIM115  the next block closes it
    with own as file:
        log().setlogfile(file.name)
        try:
            yield Path(file.name)
        finally:
            log().setlogfile(str(path))


def _reasons(path: Path, begin: int) -> list[str]:
    """The last warnings in the log at `path` from the byte `begin` on, each once, without what leads up to them."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    messages = [
        LOG_HEAD.sub("", message).rpartition("*** ")[2]
        for origin, message in grave_messages(text)
        if UNRELATED not in origin
    ]
    return list(dict.fromkeys(messages))[-REASONS:]


def available_memory() -> float:
    """Memory that this process may take [kB]: what this machine has to spare as CASA sees it, or limits leave."""
    with turn:
        free = float(load().ctsys.hostinfo()["memory"]["available"])
    return min(free, left_by_limits() / 1024)


def jansky(value: float | str | dict[str, Any]) -> float:
    """A flux density, given as a number, a quantity such as '5mJy' or CASA's record of one, in Jy; '' is zero."""
    if value == "":
        return 0.0
    if not isinstance(value, str | dict):
        return float(value)
    with tool("quanta") as quanta:
        quantity = quanta.quantity(value)
        return float(quanta.convert(quantity, "Jy")["value"] if quantity["unit"] else quantity["value"])


def radians(value: float, unit: str) -> float:
    """An angle in some unit, in radians."""
    with tool("quanta") as quanta:
        return float(quanta.convert(quanta.quantity(float(value), unit), "rad")["value"])


def radians_of(value: str) -> float:
    """An angle, given as a quantity such as '0.1arcsec', in radians."""
    with tool("quanta") as quanta:
        return float(quanta.convert(quanta.quantity(value), "rad")["value"])


def hertz(value: str) -> float:
    """A frequency, given as a quantity such as '1.5GHz', in Hz."""
    with tool("quanta") as quanta:
        return float(quanta.convert(quanta.quantity(value), "Hz")["value"])


def use_log(path: str) -> None:
    """Send CASA's messages to the file at `path` from now on; before casatools is loaded, also its first ones."""
    if "casatools" not in sys.modules:
        from casaconfig import config

        config.logfile = path
    log().setlogfile(path)
