"""The parameters of pclean, read once from the task definition (CASA's task XML): name -> Parameter.

Signature, type check, command line, shell and help all come from here, so that a parameter is written down once.
Standard library only.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ParameterTypeError

XML_PATH = Path(__file__).parent / "__xml__" / "pclean.xml"
NAMESPACE = "{http://casa.nrao.edu/schema/psetTypes.html}"
GROUP_MARK = "group:"
TRUTH = {"true": True, "yes": True, "t": True, "1": True, "false": False, "no": False, "f": False, "0": False}

# CASA's type names -> what a user reads.
TYPE_WORDS = {
    "bool": "True or False",
    "int": "an integer",
    "double": "a number",
    "string": "a text",
    "path": "the path of an existing file",
    "variant": "a text, number or list",
    "intVec": "a list of integers",
    "doubleVec": "a list of numbers",
    "stringVec": "a list of texts",
    "pathVec": "a list of paths of existing files",
}


@dataclass(frozen=True)
class Condition:
    """When a sub-parameter is in use, and the default it then has.

    Attributes
    ----------
    parent : str
        The parameter it depends on.
    value : object
        The value of the parent that brings the sub-parameter into use.
    default : object
        The sub-parameter's default in this context, which may differ from the one in the signature.
    negated : bool
        The sub-parameter is in use where the parent is *not* `value`.
    """

    parent: str
    value: Any
    default: Any
    negated: bool = False

    def holds(self, parent_value: object) -> bool:
        """Whether the sub-parameter is in use with this value of its parent."""
        return bool(parent_value == self.value) != self.negated


@dataclass(frozen=True)
class Parameter:
    """One parameter of the task.

    Attributes
    ----------
    name : str
    types : tuple of str
        CASA's names of the accepted types, e.g. ('string', 'stringVec'); 'variant' is any of them.
    default : object
        As in the signature. Don't change it: `defaults` gives copies.
    short, description : str
        Help in one line, and in full.
    group : str
        Heading under which the help lists it.
    choices : tuple of str
        The values it may have; empty where it is free.
    low, high : float or None
        Bounds of a number, inclusive.
    conditions : tuple of Condition
        Empty for a parameter that is always in use, whatever the definition's constraints say of it.
    """

    name: str
    types: tuple[str, ...]
    default: Any
    short: str = ""
    description: str = ""
    group: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def range(self) -> tuple[float | None, float | None] | None:
        """(low, high), either of which may be None; None where the value is unbounded."""
        return None if self.low is None and self.high is None else (self.low, self.high)

    @property
    def is_list(self) -> bool:
        """Whether a list, and nothing else, is accepted."""
        return all(name.endswith("Vec") for name in self.types)

    def accepts(self) -> str:
        """What the parameter may be, in words: choices, range, or types."""
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        words = " or ".join(TYPE_WORDS[name] for name in self.types)
        if self.low is not None and self.high is not None:
            return f"{words} from {self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"{words} not below {self.low:g}"
        return words if self.high is None else f"{words} not above {self.high:g}"

    def coerced(self, value: Any) -> Any:
        """The value in the form that casatasks' type check would give it, which leaves a wrong one as it is.

        numpy's numbers and arrays become Python's, a whole number a float where only floats are taken, and a single
        entry a list where only lists are.
        """
        value = _plain(value)
        if self.types == ("double",) and isinstance(value, int):
            return float(value)
        return [value] if self.is_list and not isinstance(value, list) else value

    def admits(self, value: Any) -> bool:
        """Whether a coerced value has one of the types, is one of the choices and lies in the range."""
        if not any(_is_of(kind, value) for kind in self.types):
            return False
        if self.choices and value not in self.choices:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def from_text(self, text: str) -> Any:
        """The value that a text stands for, as typed in a shell.

        '0.1arcsec' stays a text, '512' becomes a number and '[512, 480]' a list where the parameter takes such; commas
        alone separate the items of a parameter that takes numbers or nothing but lists.

        Raises
        ------
        ParameterTypeError
            The text stands for no value of the parameter's type.
        """
        value = _parse(text.strip(), set(self.types), self.is_list)
        if value is _UNREADABLE:
            raise ParameterTypeError(f"{self.name} must be {self.accepts()}, got {text!r}")
        return value


@dataclass(frozen=True)
class Task:
    """What the definition says of the task as a whole: texts of the help, and its category in the CASA shell."""

    short: str
    description: str
    category: str
    returns: str
    example: str


# CASA's type names -> Python's. A bool is an integer to both.
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "double": (int, float),
    "string": (str,),
    "path": (str,),
    "variant": (str, int, float, list, dict),
}


def _plain(value: Any) -> Any:
    """numpy's numbers and arrays as Python's, and tuples as lists; known by `tolist`, as numpy isn't imported here."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _is_of(kind: str, value: Any) -> bool:
    if kind.endswith("Vec"):
        return isinstance(value, list) and all(_is_of(kind.removesuffix("Vec"), entry) for entry in value)
    return isinstance(value, _PYTHON_TYPES[kind])


_UNREADABLE = object()
_NUMERIC = {"int", "intVec", "double", "doubleVec", "variant"}
_TEXTS = {"string", "path", "variant"}


def _parse(text: str, types: set[str], is_list: bool) -> Any:
    if types == {"bool"}:
        return TRUTH.get(text.lower(), _UNREADABLE)
    literal = _literal(text)
    if isinstance(literal, list) and (is_list or text.startswith("[") or not types & _TEXTS):
        return literal
    if isinstance(literal, int | float) and types & _NUMERIC and ("string" not in types or "double" in types):
        whole = isinstance(literal, int) or not types <= {"int", "intVec"}
        return (float(literal) if types == {"double"} else literal) if whole else _UNREADABLE
    if types & _TEXTS:
        return text
    return [item.strip() for item in text.split(",") if item.strip()] if "stringVec" in types else _UNREADABLE


def _literal(text: str) -> Any:
    """The number or list that is written in `text`, else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, list | int | float) and not isinstance(value, bool) else text


def _text(element: ET.Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _scalar(kind: str, text: str) -> Any:
    if kind == "bool":
        return TRUTH[text.lower()]
    if kind in ("int", "double"):
        return int(text) if kind == "int" else float(text)
    return text


def _default(value: ET.Element) -> Any:
    """The default as casatasks' generator makes it: only nested <value> elements fill a vector."""
    kind = value.get("type", "string")
    if not kind.lower().endswith(("vec", "vector")):
        return _scalar(kind, _text(value))
    return [_scalar(kind.removesuffix("Vec"), _text(item)) for item in value.findall(f"{NAMESPACE}value")]


def _types(param: ET.Element) -> tuple[str, ...]:
    kind = param.get("type", "any")
    if kind != "any":
        return (kind,)
    return tuple(_text(item) for item in param.findall(f"{NAMESPACE}type")) or ("variant",)


def _bounds(allowed: ET.Element | None) -> dict[str, float]:
    if allowed is None or allowed.get("kind") != "range":
        return {}
    names = {"min": "low", "max": "high"}
    return {names[item.get("range", "")]: float(_text(item)) for item in allowed}


def _context_default(default: ET.Element) -> Any:
    value = default.find(f"{NAMESPACE}value")
    text = _text(value)
    if text:
        return ast.literal_eval(text)
    return [] if value is not None and value.get("type", "").endswith("Vec") else ""


def _conditions(root: ET.Element) -> dict[str, list[Condition]]:
    found: dict[str, list[Condition]] = {}
    for when in root.iter(f"{NAMESPACE}when"):
        for case in when:
            value = _scalar(case.get("type", "string"), case.get("value", ""))
            negated = case.tag == f"{NAMESPACE}notequals"
            for default in case.findall(f"{NAMESPACE}default"):
                condition = Condition(when.get("param", ""), value, _context_default(default), negated)
                found.setdefault(default.get("param", ""), []).append(condition)
    return found


def _grouped(root: ET.Element) -> Iterator[tuple[str, ET.Element]]:
    """Each <param> with the group that the comment above it names."""
    group = ""
    for element in root.iter():
        if not isinstance(element.tag, str) and _text(element).startswith(GROUP_MARK):
            group = _text(element).removeprefix(GROUP_MARK).strip()
        elif element.tag == f"{NAMESPACE}param":
            yield group, element


def _parameter(group: str, param: ET.Element, conditions: Sequence[Condition]) -> Parameter:
    value, allowed = param.findall(f"{NAMESPACE}value")[0], param.find(f"{NAMESPACE}allowed")
    return Parameter(
        name=param.get("name", ""),
        types=_types(param),
        default=_default(value),
        short=_text(param.find(f"{NAMESPACE}shortdescription")),
        description=inspect.cleandoc(_text(param.find(f"{NAMESPACE}description"))),
        group=group,
        choices=() if allowed is None or allowed.get("kind") != "enum" else tuple(map(_text, allowed)),
        conditions=tuple(conditions) if param.get("subparam") == "true" else (),
        **_bounds(allowed),
    )


def parse(path: Path) -> ET.Element:
    """The root of a task definition, with its comments (ElementTree drops them otherwise)."""
    return ET.parse(path, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))).getroot()


def read(path: Path) -> dict[str, Parameter]:
    """Read the parameters of the task definition at `path`, in their order.

    Parameters
    ----------
    path : Path
        A task definition in CASA's schema: pclean's own, or casatasks' for tclean.
    """
    root = parse(path)
    conditions = _conditions(root)
    return {
        param.get("name", ""): _parameter(group, param, conditions.get(param.get("name", ""), ()))
        for group, param in _grouped(root)
    }


def task(path: Path = XML_PATH) -> Task:
    """Read what the task definition at `path` says of the task as a whole."""
    element = next(parse(path).iter(f"{NAMESPACE}task"))
    texts = {name: _text(element.find(NAMESPACE + name)) for name in ("shortdescription", "description", "example")}
    return Task(
        short=texts["shortdescription"],
        description=inspect.cleandoc(texts["description"]),
        category=element.get("category", ""),
        returns=_text(element.find(f"{NAMESPACE}returns")),
        example=inspect.cleandoc(texts["example"]),
    )


@functools.cache
def definitions() -> dict[str, Parameter]:
    """The parameters of pclean, in the order of the signature: name -> Parameter. Read once; not to be changed."""
    return read(XML_PATH)


def defaults() -> dict[str, Any]:
    """A fresh copy of each parameter's default, in the order of the signature."""
    return {name: copy.deepcopy(parameter.default) for name, parameter in definitions().items()}


def groups() -> dict[str, list[Parameter]]:
    """The parameters by the heading under which the help lists them, in order of first appearance."""
    found: dict[str, list[Parameter]] = {}
    for parameter in definitions().values():
        found.setdefault(parameter.group, []).append(parameter)
    return found
