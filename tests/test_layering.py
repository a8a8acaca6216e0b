"""Imports go downward only, and what is heavy is loaded by few modules and late."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "pcleantask"

# The levels, from the lowest: a module may import what stands below it, and within its level what is of its own folder.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "version", "progress", "cores", "records", "minorrecords"),
    ("memory",),
    ("inputs", "ownprocess"),
    ("parameters", "outliers", "lastfile"),
    ("traits",),
    ("sections",),
    ("recordvalues",),
    ("rules", "cautions", "subparameters", "engines"),
    ("config",),
    ("casa",),
    ("measurementsets",),
    ("processes",),
    ("images",),
    ("toolrecords",),
    ("imaging.beam", "imaging.regions", "imaging.robust"),
    ("imaging.automask",),
    ("gridding.spectral",),
    ("gridding.data", "gridding.beam_bands"),
    ("gridding.casa",),
    ("gridding.casa_evaluator",),
    ("gridding.ducc.weights",),
    ("gridding.ducc.channels",),
    ("gridding.ducc.transform", "gridding.ducc.sky_plane", "gridding.ducc.measurement"),
    ("gridding.ducc.products",),
    ("gridding.ducc.model",),
    ("gridding",),
    ("report", "runs"),
    ("imaging",),
    ("parallel",),
    ("private",),
    ("pclean",),
    ("standin", "casanames"),
    ("", "cli", "shell"),
    ("__main__", "lead"),
)
ABOVE = len(LEVELS)

# Who may import what is heavy: pclean.py is generated in the form that CASA fixes, and the shell is CASA's.
DOORS = {
    "casatools": {"casa", "pclean", "shell"},
    "casatasks": {"casa", "pclean", "shell"},
    "casaconfig": {"casa"},
    "casashell": {"shell"},
    "mpi4py": {"processes.mpi"},
    "ducc0": {"gridding.ducc.transform"},
}
# Who speaks to CASA's tools of selections, images, gridding and deconvolution in their words; all others take values.
KNOWING_RECORDS = (
    "toolrecords",
    "recordvalues",
    "gridding.beam_bands",
    "gridding.casa",
    "gridding.casa_evaluator",
    "gridding.casa_rows",
    "gridding.casa_slab",
    "gridding.data.coordinates",
    "imaging.deconvolver",
    "imaging.normalizer",
)
# Keys of these records that other dictionaries have as well: measures, minor cycles' records, JSON files, msselect.
COMMON_KEYS = {
    "type", "field", "spw", "antenna", "scan", "state", "id", "imagename", "nchan", "mask", "deconvolver", "specmode",
    "start", "width", "nsigma", "fullsummary",
}  # fmt: skip
HEAVY = ("casatools", "casatasks", "casaconfig", "casadata", "mpi4py", "numpy", "scipy")


def modules() -> dict[str, Path]:
    """Dotted name below the package -> file; '' is the package itself."""
    folder = ROOT / PACKAGE
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`, which imports nothing when the module runs."""
    for node in ast.iter_child_nodes(tree):
        if not is_type_checking(node):
            yield node
            yield from nodes(node)


def imports(name: str) -> set[str]:
    """What the module imports, anywhere in it, as absolute dotted names; `from x import y` as both x and x.y."""
    path = MODULES[name]
    package = [PACKAGE, *filter(None, name.split("."))]
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            found |= {source} | {f"{source}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {str(word.value) for word in node.args if isinstance(word, ast.Constant)}
    return found


def level(name: str) -> int:
    """The level of a module: that of the longest entry that is its name or a folder it lies in."""
    fitting = [
        (len(entry), number)
        for number, entries in enumerate(LEVELS)
        for entry in entries
        if name == entry or (entry and name.startswith(entry + "."))
    ]
    return max(fitting)[1] if fitting else ABOVE


def own_imports(name: str) -> set[str]:
    """The modules of the package that a module imports."""
    below = {full.removeprefix(PACKAGE).removeprefix(".") for full in imports(name) if full.split(".")[0] == PACKAGE}
    return (below & set(MODULES)) - {name, ""}


def test_package_is_read_whole() -> None:
    assert {"", "errors", "casa", "images.planes", "imaging.serial_imager", "private.task_pclean"} <= set(MODULES)
    assert {"rules", "errors", "parameters", "outliers"} <= own_imports("config")
    assert "imaging.serial_imager" in own_imports("private.task_pclean")  # an import within a function
    assert "casatools" in imports("casa")


@pytest.mark.parametrize("name", MODULES)
def test_module_has_its_level(name: str) -> None:
    assert level(name) < ABOVE, f"{name} is at no level: put it where it belongs in LEVELS"


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_downward_only(name: str) -> None:
    folder = name.partition(".")[0]
    upward = [
        other
        for other in own_imports(name)
        if level(other) > level(name) or (level(other) == level(name) and other.partition(".")[0] != folder)
    ]
    assert [other for other in upward if (name, other) != ("__main__", "cli")] == []


def keys_in(tree: ast.AST) -> set[str]:
    """The strings by which dictionaries are made, read or changed."""
    found: list[ast.AST | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            found.append(node.slice)
        elif isinstance(node, ast.Dict):
            found.extend(node.keys)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found.extend(node.args[:1])
    return {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@functools.cache
def keys_of_records() -> frozenset[str]:
    kinds = ("selpars", "impars", "gridpars", "normpars", "decpars", "weightpars")
    tree = ast.parse(MODULES["toolrecords"].read_text(encoding="utf-8"))
    makers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.endswith(kinds)]
    assert len(makers) == len(kinds)
    found = frozenset().union(*map(keys_in, makers))
    assert {"msname", "startmodel", "gridder", "workdir", "usemask", "usecubebriggs"} <= found
    return found - COMMON_KEYS


# What is below or above knows the task's parameters, by some of the same names.
ACTING = [name for name in MODULES if level("toolrecords") <= level(name) <= level("parallel") and name != "report"]


@pytest.mark.parametrize("name", sorted({*ACTING} - {*KNOWING_RECORDS}))
def test_keys_of_casas_records_are_known_at_few_places(name: str) -> None:
    assert keys_in(ast.parse(MODULES[name].read_text(encoding="utf-8"))) & keys_of_records() == set()


def test_parts_of_scipy_are_loaded_when_they_are_used() -> None:
    """They take up to 0.2 s each, and few runs use all."""
    assert {name for name in MODULES if any(found.startswith("scipy.") for found in imports(name))} == set()


@pytest.mark.parametrize("name", MODULES)
def test_modules_do_not_import_each_other_in_a_circle(name: str) -> None:
    seen: set[str] = set()
    ahead = own_imports(name)
    while ahead:
        other = ahead.pop()
        if other not in seen:
            seen.add(other)
            ahead |= own_imports(other)
    assert name not in seen


@pytest.mark.parametrize("heavy", DOORS)
def test_what_is_heavy_is_imported_at_its_door_only(heavy: str) -> None:
    users = {name for name in MODULES if any(full.split(".")[0] == heavy for full in imports(name))}
    assert {user for user in users if not any(user == d or user.startswith(d + ".") for d in DOORS[heavy])} == set()
    assert heavy not in ("casatools", "casaconfig") or "casa" in users


@pytest.mark.parametrize("name", ["parameters", "errors", "rules", "outliers", "lastfile", "subparameters", "config"])
def test_parameters_are_parsed_with_the_standard_library_alone(name: str) -> None:
    foreign = {full.split(".")[0] for full in imports(name)} - {PACKAGE} - set(sys.stdlib_module_names)
    assert foreign == set()


def loaded_after(code: str, folder: Path) -> list[str]:
    """Top-level modules that are loaded in a new process once it has run `code`."""
    code = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import pcleantask",
        "from pcleantask import pclean; assert callable(pclean)",
        "import pcleantask; help = pcleantask.pclean.__doc__; pcleantask.xml_interface_defs(); dir(pcleantask)",
        "from pcleantask import PcleanConfig, errors; assert PcleanConfig.from_parameters",
    ],
)
def test_importing_the_package_loads_nothing_heavy(code: str, tmp_path: Path) -> None:
    loaded = loaded_after(code, tmp_path)
    assert PACKAGE in loaded
    assert set(HEAVY).isdisjoint(loaded)
    assert list(tmp_path.iterdir()) == []  # no log of CASA's either


@pytest.mark.parametrize("name", ["imaging.automask", "imaging.beam", "imaging.regions", "imaging.robust"])
def test_arithmetic_works_where_there_is_no_casa(name: str, tmp_path: Path) -> None:
    block = "import sys; sys.modules.update(dict.fromkeys(['casatools', 'casatasks', 'casaconfig']))"
    loaded = loaded_after(f"{block}\nimport {PACKAGE}.{name}", tmp_path)
    assert "numpy" in loaded


def test_automask_cleans_a_plane_where_there_is_no_casa(tmp_path: Path) -> None:
    code = """
import sys; sys.modules.update(dict.fromkeys(["casatools", "casatasks", "casaconfig"]))
import numpy as np
from pcleantask.imaging.automask import AutoMaskConfig, AutoMaskState, automask_plane
x = np.arange(64.0)
source = np.exp(-((x[:, None] - 32) ** 2 + (x - 32) ** 2) / 18)
residual = (source + np.random.default_rng(1).normal(0, 0.01, (64, 64))).astype(np.float32)
mask = automask_plane(residual, 0.2, 30.0, (3.0, 3.0), AutoMaskConfig(), AutoMaskState())
assert mask[32, 32] == 1 and mask[5, 5] == 0, mask
"""
    assert "numpy" in loaded_after(code, tmp_path)
