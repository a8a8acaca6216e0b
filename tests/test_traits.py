"""The table of what engines, gridders and algorithms do: it knows all of them, and nobody else tells them by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pcleantask import traits
from pcleantask.gridding import ENGINE_MAKERS
from pcleantask.imaging.memory_deconvolver import ALGORITHM_MAKERS
from pcleantask.parameters import definitions

PACKAGE = Path(traits.__file__).parent
NAMES = {*traits.GRIDDERS, *traits.ALGORITHMS, *traits.ENGINES, "mosaic", "awp", "aw", "w"}
# Words that are names of other things as well: a primary beam's "standard" table, the automask of CASA or in numpy.
OTHERS = {"automaskengine"}


def asked_by_name(path: Path) -> Iterator[str]:
    """Comparisons with names of engines, gridders or algorithms, and tests on how they begin."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            asked = node.args
        else:
            continue
        words = {
            entry.value
            for part in asked
            for entry in (part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part])
            if isinstance(entry, ast.Constant) and isinstance(entry.value, str)
        }
        text = ast.unparse(node)
        if words & NAMES and not any(other in text for other in OTHERS):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {text}"


def test_table_has_every_choice_of_the_task() -> None:
    for name, table in (("gridder", traits.GRIDDERS), ("deconvolver", traits.ALGORITHMS)):
        assert set(definitions()[name].choices) == set(table)
    assert set(definitions()["engine"].choices) - {"", traits.AUTO} == set(traits.ENGINES)


def test_readme_says_who_does_what() -> None:
    """Its table has each gridder and each minor cycle where `traits` has it."""
    text = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \*\*(.*?)\*\* \| (.*) \|$", text, re.MULTILINE))
    found = {
        title: [set(re.findall(r"`([a-z_0-9]+)`", cell)) for cell in cells.split("|")] for title, cells in rows.items()
    }
    with_ducc = {name for name, gridder in traits.GRIDDERS.items() if gridder.in_ducc}
    assert found["Gridders"] == [with_ducc, set(traits.GRIDDERS) - with_ducc]
    in_memory = {name for name, algorithm in traits.ALGORITHMS.items() if algorithm.in_memory}
    assert found["Minor cycles"] == [in_memory, set(traits.ALGORITHMS) - in_memory]


def test_registries_make_what_the_table_has() -> None:
    assert set(ENGINE_MAKERS) == set(traits.ENGINES)
    assert set(ALGORITHM_MAKERS) == {name for name, algorithm in traits.ALGORITHMS.items() if algorithm.in_memory}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_asks_by_name(path: Path) -> None:
    if path.name not in ("traits.py", "pclean.py"):
        assert list(asked_by_name(path)) == []


def test_questions_by_name_are_found(tmp_path: Path) -> None:
    file = PACKAGE / "traits.py"
    assert list(asked_by_name(file)) == []
    asked = tmp_path / "asks.py"
    asked.write_text('x = gridder == "mosaic"\ny = name.startswith(("w", "a"))\nz = "hogbom" in names\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "PACKAGE", tmp_path)
        assert len(list(asked_by_name(asked))) == 3
