#!/usr/bin/env python3
"""Write what is made from xml/pclean.xml: the task wrapper pcleantask/pclean.py and the shipped copy of the XML.

    scripts/generate_task.py            # write both
    scripts/generate_task.py --check    # write nothing; exit 1 where one of them is stale

Standard library only: the build runs it before anything is installed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import textwrap
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "xml" / "pclean.xml"
PACKAGE = ROOT / "pcleantask"

PYTHON_TYPES = {
    "bool": "bool", "int": "int", "double": "float", "string": "str", "path": "str", "variant": "Any",
    "intVec": "list[int]", "doubleVec": "list[float]", "stringVec": "list[str]", "pathVec": "list[str]",
}  # fmt: skip

# CASA's type names -> the validator's types with their coercions, as in casatasks' generated tasks.
VALIDATOR_TYPES = {
    "bool": "'type': 'cBool'",
    "int": "'type': 'cInt'",
    "double": "'type': 'cFloat', 'coerce': _coerce.to_float",
    "string": "'type': 'cStr', 'coerce': _coerce.to_str",
    "path": "'type': 'cReqPath', 'coerce': _coerce.expand_path",
    "variant": "'type': 'cVariant', 'coerce': [_coerce.to_variant]",
    "intVec": "'type': 'cIntVec', 'coerce': [_coerce.to_list, _coerce.to_intvec]",
    "doubleVec": "'type': 'cFloatVec', 'coerce': [_coerce.to_list, _coerce.to_floatvec]",
    "stringVec": "'type': 'cStrVec', 'coerce': [_coerce.to_list, _coerce.to_strvec]",
    "pathVec": "'type': 'cReqPathVec', 'coerce': [_coerce.to_list, _coerce.expand_pathvec]",
}

TEMPLATE = '''\
# Generated from xml/pclean.xml by scripts/generate_task.py: edit that, and run the script.
"""The task pclean, in the form of casatasks' tasks: signature, type check, task log."""

from __future__ import annotations

from typing import Any

from .private import task_call as _task_call


class _pclean:
    """
    pclean ---- {short}

{description}

    --------- parameter descriptions ---------------------------------------------

{parameters}
    RETURNS              {returns}

    --------- examples -----------------------------------------------------------

{example}
    """

    _info_group_ = {category!r}
    _info_desc_ = {short!r}

    def __call__(
        self,
{signature}
        **unknown: Any,
    ) -> dict[str, Any]:
        _task_call.check_unknown(unknown)
        doc = {{
{document}
        }}
        if _task_call.is_rank():
            return _task_call.call_together(doc)
        with _task_call.casa_loaded(doc):
            from casatools.typecheck import CasaValidator as _val_ctor

            document = _task_call.validate(_val_ctor(), doc, self._schema())
            from .private.task_pclean import pclean as _task

            return _task_call.run("pclean", _task, document)

    @staticmethod
    def _schema() -> dict[str, Any]:
        from casatools.coercetype import coerce as _coerce

        return {{
{schema}
        }}


pclean = _pclean()
'''


def parameter_reader() -> types.ModuleType:
    """The module pcleantask.parameters, without running pcleantask/__init__.py, which needs the generated file."""
    bare = types.ModuleType("pcleantask")
    bare.__path__ = [str(PACKAGE)]
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "pcleantask"}
    for name in kept:
        del sys.modules[name]
    sys.modules["pcleantask"] = bare
    try:
        return importlib.import_module("pcleantask.parameters")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "pcleantask"]:
            del sys.modules[name]
        sys.modules.update(kept)


def _rule(parameter: Any) -> str:
    """The validator's rule for one parameter, as source text."""
    kinds = [f"{{{VALIDATOR_TYPES[name]}}}" for name in parameter.types]
    if len(kinds) > 1:
        return f"{{'anyof': [{', '.join(kinds)}]}}"
    rule = VALIDATOR_TYPES[parameter.types[0]]
    if parameter.choices:
        rule += f", 'allowed': {list(parameter.choices)!r}"
    for key, bound in (("min", parameter.low), ("max", parameter.high)):
        rule += "" if bound is None else f", '{key}': {bound!r}"
    return f"{{{rule}}}"


def _lines(lines: Iterable[str], depth: int) -> str:
    return textwrap.indent("\n".join(lines), " " * 4 * depth)


def _help(parameter: Any) -> str:
    """Name and description of one parameter, the name in a column of 20."""
    text = textwrap.indent(parameter.description, " " * 21)
    return f"{parameter.name:<20} {text.lstrip()}"


def task_source(source: Path = SOURCE) -> str:
    """The text of pcleantask/pclean.py.

    Parameters
    ----------
    source : Path
        The task definition it is made from.
    """
    reader = parameter_reader()
    parameters = list(reader.read(source).values())
    task = reader.task(source)
    hints = {item.name: " | ".join(dict.fromkeys(PYTHON_TYPES[name] for name in item.types)) for item in parameters}
    return TEMPLATE.format(
        short=task.short,
        category=task.category,
        returns=task.returns,
        description=_lines([task.description], 1),
        example=_lines([task.example], 1),
        parameters=_lines(map(_help, parameters), 1),
        signature=_lines((f"{item.name}: {hints[item.name]} = {item.default!r}," for item in parameters), 2),
        schema=_lines((f"'{item.name}': {_rule(item)}," for item in parameters), 3),
        document=_lines((f"'{item.name}': {item.name}," for item in parameters), 3),
    )


def products() -> dict[Path, str]:
    """The generated files: path -> text."""
    return {
        PACKAGE / "pclean.py": task_source(),
        PACKAGE / "__xml__" / "pclean.xml": SOURCE.read_text(encoding="utf-8"),
    }


def stale() -> list[Path]:
    """The generated files that are missing or differ from what the XML asks for."""
    return [path for path, text in products().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def main(arguments: list[str] | None = None) -> int:
    """Write the generated files, or check them; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a generated file is stale")
    outdated = stale()
    if parser.parse_args(arguments).check:
        for path in outdated:
            print(f"{path.relative_to(ROOT)} is stale: run scripts/generate_task.py", file=sys.stderr)
        return 1 if outdated else 0
    texts = products()
    for path in outdated:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
