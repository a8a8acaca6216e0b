"""What makes two runs the same one, so that the second may go on where the first was ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import casa
from ..config import PcleanConfig
from ..images.products import products
from ..version import __version__

WHO_COMPUTES = ("nworkers", "parallel", "resume")  # parameters that change no image
LOCK_FILE = "table.lock"  # written by who only reads, too
# Files of a MeasurementSet that a run writes itself, as it saves its model, or that any task writes.
WRITTEN = ("table.dat", "table.info", "SOURCE", "HISTORY")
MODEL = "MODEL_DATA"
FORMER = "former image"  # the kind of entries that the run's own products change

Stamps = dict[str, list[int]]  # file -> size [bytes], time of change [ns]


def identity_of(config: PcleanConfig, finals: Iterable[str]) -> dict[str, Any]:
    """What a run is: versions, parameters, data, and what else it reads. Fit for JSON.

    Parameters
    ----------
    config : PcleanConfig
        With absolute paths.
    finals : iterable of str
        Names of the products, without suffixes: a run may read those of one before.
    """
    told = config.to_dict()
    told.pop("emptied")  # follows from the data
    told["run"] = {name: value for name, value in told["run"].items() if name not in WHO_COMPUTES}
    former = [path for name in finals for path, _ in products(name)]
    found = {
        "version": {"pcleantask": __version__, "casatools": casa.load().version_string()},
        "parameter": dict(_flat(told)),
        "data set": {entry.vis: _stamps_of_data(Path(entry.vis)) for entry in config.all_selections},
        "input": {path: stamps(Path(path)) for path in sorted(_inputs(config))},
        FORMER: {str(path): stamps(path) for path in former},
    }
    return dict(json.loads(json.dumps(found)))  # as it comes back from the disk


def difference(one: Mapping[str, Any], other: Mapping[str, Any], *, but: str = "") -> str:
    """What differs between two identities, but for one kind of entries, in words; '' where nothing does."""
    for kind, entries in other.items():
        if kind == but:
            continue
        before = one.get(kind, {})
        for name in [*entries, *before]:
            if entries.get(name) != before.get(name):
                values = "" if isinstance(entries.get(name), dict) else _values(before.get(name), entries.get(name))
                return f"{kind} {name}{values}"
    return ""


def _values(before: Any, now: Any) -> str:
    return f" is {now!r}, was {before!r}"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested dicts and of lists of dicts, each with its way as a name."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        for number, entry in enumerate(value):
            yield from _flat(entry, f"{name}[{number}]")
    else:
        yield name, value


def _inputs(config: PcleanConfig) -> Iterator[str]:
    """Paths of what is read beside the data: masks, start models, tables of beams and of directions."""
    values: list[Any] = [config.gridding.vptable]
    for field in config.fields:
        values += [field.phasecenter]
        for entry in (field.mask, field.startmodel):
            values += [entry] if isinstance(entry, str) else list(entry)
    for value in values:
        if isinstance(value, str) and value and "[" not in value and os.path.lexists(value):
            yield value


def stamps(path: Path) -> Stamps:
    """Size and time of change of a file, or of each file below a folder."""
    if not path.is_dir():
        return {"": _stamp(path)} if path.exists() else {}
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            if name != LOCK_FILE:
                file = Path(folder, name)
                found[str(file.relative_to(path))] = _stamp(file)
    return dict(sorted(found.items()))


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _stamps_of_data(vis: Path) -> Stamps:
    """Stamps of what is read of a MeasurementSet: not of its model, which the run may write."""
    with casa.opened_table(str(vis)) as table:
        managers = table.getdminfo().values()
    models = [f"table.f{entry['SEQNR']}" for entry in managers if list(entry["COLUMNS"]) == [MODEL]]
    return {
        name: stamp
        for name, stamp in stamps(vis).items()
        if name.split(os.sep)[0] not in WRITTEN and not any(_is_of(name, file) for file in models)
    }


def _is_of(name: str, file: str) -> bool:
    """Whether a file is that of a data manager, or one beside it."""
    return name == file or name.startswith((f"{file}_", f"{file}i"))
