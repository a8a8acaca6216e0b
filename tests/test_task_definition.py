"""The task definition is tclean's, parameter by parameter, in words of its own; what is generated from it is not stale.

Truth is the tclean of the installed casatasks: its XML, and the signature that CASA's generator made from it. Both are
read as text, so that casatasks, which takes seconds to import, stays unloaded.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

import generate_task
import pytest

from pcleantask import parameters, pclean, xml_interface_defs

ROOT = Path(__file__).resolve().parent.parent
CASA = "{http://casa.nrao.edu/schema/psetTypes.html}"
GROUPS = [
    "Data selection", "Image definition", "Spectral axis", "Gridding", "Deconvolution", "Restoration", "Weighting",
    "Iteration control", "Masking", "Run and state", "pclean's own",
]  # fmt: skip
OWN = {"nworkers": 0, "engine": "", "resume": True, "automaskengine": "numpy"}
COPIED_RUN = 12  # as many equal words in a row are no accident

# Parameters that a tclean newer than the definition's (6.7.0) has and pclean has not, each with the reason.
# 6.7.5.18, which Python 3.12 and 3.13 get, has the parameters of 6.7.0.31 and no others.
NEWER: dict[str, str] = {}

# tclean.xml makes a parameter that tclean doesn't have a sub-parameter of gridder='mosaicft'.
DANGLING = {"doweight"}


def casatasks_folder() -> Path:
    spec = importlib.util.find_spec("casatasks")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def read_xml(path: Path) -> ET.Element:
    return ET.parse(path).getroot()


@pytest.fixture(scope="module")
def tclean() -> dict[str, ET.Element]:
    root = read_xml(casatasks_folder() / "__xml__" / "tclean.xml")
    found = {item.get("name", ""): item for item in root.iter(f"{CASA}param")}
    assert len(found) > 90
    return {name: item for name, item in found.items() if name not in NEWER}


@pytest.fixture(scope="module")
def own() -> dict[str, ET.Element]:
    return {item.get("name", ""): item for item in read_xml(ROOT / "xml" / "pclean.xml").iter(f"{CASA}param")}


def casa_signature() -> dict[str, Any]:
    """Name -> default of tclean's __call__, out of its source."""
    tree = ast.parse((casatasks_folder() / "tclean.py").read_text(encoding="utf-8"))
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__call__")
    return dict(zip([argument.arg for argument in call.args.args[1:]], map(constant, call.args.defaults), strict=True))


def constant(node: ast.expr) -> Any:
    """The value of a default such as `int(-1)` or `[ int(100) ]`."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return {"int": int, "float": float}[node.func.id](constant(node.args[0]))
    return [constant(item) for item in node.elts] if isinstance(node, ast.List) else ast.literal_eval(node)


def conditions(root: ET.Element) -> dict[str, set[tuple[str, ...]]]:
    """Sub-parameter -> (parent, relation, value, context default as text)."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for when in root.iter(f"{CASA}when"):
        for case in when:
            for default in case.iter(f"{CASA}default"):
                relation = case.tag.removeprefix(CASA)
                parts = (when.get("param"), relation, case.get("value"), "".join(default.itertext()).strip())
                found[default.get("param", "")].add(tuple(map(str, parts)))
    return found


def choices(element: ET.Element) -> list[str]:
    return [(item.text or "").strip() for item in element.findall(f"{CASA}allowed/{CASA}value")]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_names_and_order_are_tcleans_with_own_parameters_last(tclean, own) -> None:
    assert list(own) == [*tclean, *OWN]
    assert list(parameters.definitions()) == list(own)


def test_types_attributes_and_choices_are_tcleans(tclean, own) -> None:
    for name, theirs in tclean.items():
        assert own[name].attrib == theirs.attrib, name
        assert [item.text for item in own[name].findall(f"{CASA}type")] == [
            item.text for item in theirs.findall(f"{CASA}type")
        ], name
        assert choices(own[name]) == choices(theirs), name


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")  # of tclean's docstring
def test_defaults_are_those_of_tcleans_signature(tclean) -> None:
    signature = {name: value for name, value in casa_signature().items() if name not in NEWER}
    assert list(signature) == list(tclean)
    for name, value in signature.items():
        default = parameters.definitions()[name].default
        assert (default, type(default)) == (value, type(value)), name


def test_sub_parameter_conditions_are_tcleans() -> None:
    theirs = conditions(read_xml(casatasks_folder() / "__xml__" / "tclean.xml"))
    ours = conditions(read_xml(ROOT / "xml" / "pclean.xml"))
    assert len(theirs) > 50
    expected = {name: found for name, found in theirs.items() if name not in {*DANGLING, *NEWER}}
    assert {name: found for name, found in ours.items() if name not in OWN} == expected
    assert set(ours) <= set(parameters.definitions())


def test_own_parameters_have_their_defaults_and_conditions() -> None:
    definitions = parameters.definitions()
    assert {name: definitions[name].default for name in OWN} == OWN
    assert definitions["automaskengine"].choices == ("numpy", "casa")
    assert definitions["engine"].choices == ("", "casa", "ducc", "auto")
    assert definitions["nworkers"].range == (0, None)
    assert definitions["automaskengine"].conditions == (parameters.Condition("usemask", "auto-multithresh", "numpy"),)
    assert definitions["nworkers"].conditions == (parameters.Condition("parallel", True, 0),)


def test_every_parameter_is_in_a_group_and_has_help() -> None:
    assert list(parameters.groups()) == GROUPS
    assert [item.name for item in parameters.groups()["pclean's own"]] == list(OWN)
    for item in parameters.definitions().values():
        assert item.short and item.description, item.name
        assert not item.short.endswith("."), item.name


def test_help_is_not_copied_from_tclean(tclean, own) -> None:
    """No text is tclean's, and no run of twelve words is in both."""
    texts = [" ".join(item.itertext()) for item in tclean.values()]
    theirs = {run for text in texts for run in zip(*(words(text)[shift:] for shift in range(COPIED_RUN)), strict=False)}
    for name in tclean:
        for tag in ("shortdescription", "description"):
            ours = words(own[name].findtext(CASA + tag) or "")
            assert ours != words(tclean[name].findtext(CASA + tag) or ""), (name, tag)
            assert theirs.isdisjoint(zip(*(ours[shift:] for shift in range(COPIED_RUN)), strict=False)), (name, tag)


def test_docstring_explains_every_parameter() -> None:
    text = inspect.getdoc(type(pclean)) or ""
    headings = re.findall(r"^(\w+) +\S", text.partition("parameter descriptions")[2], flags=re.MULTILINE)
    assert headings[: len(parameters.definitions())] == list(parameters.definitions())


def test_generated_files_are_not_stale() -> None:
    assert generate_task.stale() == []
    assert Path(xml_interface_defs()["pclean"]).read_bytes() == (ROOT / "xml" / "pclean.xml").read_bytes()


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """What the generator needs, and nothing else: no generated file, no installed package."""
    for name in ("xml/pclean.xml", "scripts/generate_task.py", "pcleantask/parameters.py", "pcleantask/errors.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def generate(tree: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the generator with the standard library only (-S: no site-packages)."""
    command = [sys.executable, "-S", "-E", str(tree / "scripts" / "generate_task.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tree)


def test_generator_needs_nothing_but_the_standard_library(bare_tree: Path) -> None:
    assert generate(bare_tree).returncode == 0
    for name in ("pclean.py", "__xml__/pclean.xml"):
        assert (bare_tree / "pcleantask" / name).read_bytes() == (ROOT / "pcleantask" / name).read_bytes()


@pytest.mark.parametrize("changed", ["pcleantask/pclean.py", "pcleantask/__xml__/pclean.xml"])
def test_check_tells_a_stale_file_and_writes_nothing(bare_tree: Path, changed: str) -> None:
    generate(bare_tree)
    assert generate(bare_tree, "--check").returncode == 0
    (bare_tree / changed).write_text("edited by hand", encoding="utf-8")
    outcome = generate(bare_tree, "--check")
    assert outcome.returncode == 1
    assert changed in outcome.stderr
    assert (bare_tree / changed).read_text(encoding="utf-8") == "edited by hand"
