"""Parameters as read from the definition agree with the task's signature, and texts become values of their types."""

from __future__ import annotations

import ast
import inspect
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask import parameters, pclean, rules
from pcleantask.errors import ParameterTypeError

ROOT = Path(__file__).resolve().parent.parent


def test_defaults_are_those_of_the_generated_signature() -> None:
    signature = inspect.signature(type(pclean).__call__).parameters
    named = {name: item.default for name, item in signature.items() if item.default is not inspect.Parameter.empty}
    assert list(named.items()) == list(parameters.defaults().items())
    assert set(signature) - set(named) == {"self", "unknown"}


def test_defaults_are_fresh_copies() -> None:
    parameters.defaults()["imsize"].append(1)
    assert parameters.defaults()["imsize"] == [100]


def test_every_default_is_accepted_by_its_own_choices_and_range() -> None:
    for item in parameters.definitions().values():
        assert not item.choices or item.default in item.choices, item.name
        assert item.low is None or item.default >= item.low, item.name
        assert item.high is None or item.default <= item.high, item.name


def test_condition_holds_for_its_value_only() -> None:
    gain = parameters.definitions()["gain"].conditions[0]
    robust = parameters.definitions()["robust"].conditions
    assert [gain.holds(0), gain.holds(100)] == [False, True]
    assert [item.holds("briggs") for item in robust] == [True, False, False]


def test_conditions_carry_the_default_of_their_context() -> None:
    outframe = {item.value: item.default for item in parameters.definitions()["outframe"].conditions}
    assert outframe == {"cube": "", "cubesource": "REST"}
    pbmask = {item.value: item.default for item in parameters.definitions()["pbmask"].conditions}
    assert pbmask == {"user": 0.0, "pb": 0.2, "auto-multithresh": 0.2}
    assert [item.default for item in parameters.definitions()["scales"].conditions] == [[], []]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("niter", "5000", 5000),
        ("nchan", "-1", -1),
        ("robust", "1", 1.0),
        ("pblimit", "-0.1", -0.1),
        ("parallel", "True", True),
        ("restart", "no", False),
        ("imsize", "512", 512),
        ("imsize", "640,480", [640, 480]),
        ("imsize", "[640, 480]", [640, 480]),
        ("cell", "0.1arcsec", "0.1arcsec"),
        ("cell", "0.1", 0.1),
        ("cell", "['2arcsec', '1arcsec']", ["2arcsec", "1arcsec"]),
        ("field", "3C286,3", "3C286,3"),
        ("field", "0", "0"),
        ("field", "['0', '1~3']", ["0", "1~3"]),
        ("phasecenter", "6", "6"),
        ("imagename", "1", "1"),
        ("start", "3", 3),
        ("start", "-15km/s", "-15km/s"),
        ("threshold", "5mJy", "5mJy"),
        ("threshold", "0.005", 0.005),
        ("scales", "0,5,15", [0, 5, 15]),
        ("uvtaper", "5klambda, 3klambda, 45deg", ["5klambda", "3klambda", "45deg"]),
        ("mask", "circle[[40pix, 40pix], 10pix]", "circle[[40pix, 40pix], 10pix]"),
        ("specmode", "cube", "cube"),
    ],
)
def test_text_becomes_a_value_of_the_parameters_type(name: str, text: str, value: Any) -> None:
    found = parameters.definitions()[name].from_text(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("niter", "many"),
        ("niter", "5.5"),
        ("robust", "half"),
        ("parallel", "maybe"),
        ("imsize", "big"),
        ("scales", "x"),
    ],
)
def test_unreadable_text_is_a_type_error_with_name_and_text(name: str, text: str) -> None:
    with pytest.raises(ParameterTypeError, match=f"{name} must be .* got '{text}'"):
        parameters.definitions()[name].from_text(text)


def test_module_imports_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "pcleantask" / "parameters.py").read_text(encoding="utf-8"))
    absolute = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    absolute |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {str(name).partition(".")[0] for name in absolute} <= sys.stdlib_module_names


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, pcleantask; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
    loaded = run.stdout.split()
    assert "pcleantask" in loaded
    assert not {"casatools", "casatasks", "casaconfig", "mpi4py", "numpy", "scipy"} & set(loaded)


def test_task_stays_the_instance_after_its_module_is_imported() -> None:
    import pcleantask
    import pcleantask.pclean

    assert callable(pcleantask.pclean)


# Values of every type the definition knows, in Python's and numpy's forms.
TRIED: list[Any] = [
    True, np.bool_(False), 0, -1, 3, np.int32(3), np.int64(3), 0.5, 2.0, math.inf, np.float32(0.5), np.float64(0.5),
    "", "mfs", "5mJy", np.str_("I"), None, {"value": 1.0, "unit": "Jy"}, 1j, object,
    [], [1], [1, 2], [1.5], [1, 2.5], [np.int64(1)], [np.float64(1.5)], ["a"], ["a", "b"], ["a", 1], [None], [[1]],
    (1, 2), (1.5, 2.5), ("a", "b"), np.array([1, 2]), np.array([1.5]), np.array(["a"]), np.array([]),
]  # fmt: skip


def casatools_admits(name: str, value: Any) -> bool:
    """What the check of casatools says, by the schema that casatasks' generator would make."""
    import generate_task
    from casatools.coercetype import coerce
    from casatools.typecheck import CasaValidator

    item = parameters.definitions()[name]
    rows = [eval(f"{{{generate_task.VALIDATOR_TYPES[kind]}}}", {"_coerce": coerce}) for kind in item.types]
    schema = rows[0] if len(rows) == 1 else {"anyof": rows}
    schema |= {"allowed": list(item.choices)} if item.choices else {}
    schema |= {"min": item.low} if item.low is not None else {}
    schema |= {"max": item.high} if item.high is not None else {}
    return bool(CasaValidator().validate({name: value}, {name: schema}))


@pytest.mark.parametrize("name", [name for name in parameters.definitions() if name != "vis"])
def test_type_check_admits_all_that_casatools_admits(name: str) -> None:
    """`vis` is left out, as casatools looks for the path as well; so are entries of a dictionary as those of a list."""
    item = parameters.definitions()[name]
    values = [*TRIED, item.default, *item.choices]
    values = [value for value in values if not isinstance(value, dict) or "variant" in item.types]
    admitted = [value for value in values if casatools_admits(name, value)]
    assert admitted
    assert [value for value in admitted if not item.admits(item.coerced(value))] == []
    assert not any(item.admits(item.coerced(value)) for value in (None, 1j, object))


@pytest.mark.parametrize("name", parameters.definitions())
def test_every_default_passes_the_type_check(name: str) -> None:
    rules.check_types({name: parameters.defaults()[name]})
