"""The table of rows leaves out no parameter of tclean, and none of the choices that a parameter has."""

from __future__ import annotations

import pytest

from pcleantask.parameters import defaults, definitions
from tests.agreement.cases import CASES
from tests.agreement.cases.installed import has_gridder

OWN = {"automaskengine", "engine", "nworkers", "resume"}
# Parameters of tclean without a row, and why.
WITHOUT_ROW = {
    "interactive": "True is refused by name: pclean has no viewer (tests/test_messages.py)",
    "parallel": "the tests in tests/parallel add it to every row",
}
# Choices without a row, and why.
CHOICES_WITHOUT_ROW = {("gridder", "awphpg"): "refused by name: it is not in the released casatools"}

CALLS = [call for case in CASES for call in case.calls]
IMAGED = [call for case in CASES if not case.refused for call in case.calls]
TCLEANS = [name for name in definitions() if name not in OWN]
CHOICES = [(name, choice) for name in TCLEANS for choice in definitions()[name].choices or ()]


def test_exceptions_are_parameters_and_choices() -> None:
    assert set(WITHOUT_ROW) <= set(TCLEANS)
    assert set(CHOICES_WITHOUT_ROW) <= set(CHOICES)


@pytest.mark.parametrize("name", [name for name in TCLEANS if name not in WITHOUT_ROW])
def test_parameter_has_a_row_with_another_value_than_its_default(name: str) -> None:
    values = [call[name] for call in IMAGED if name in call and call[name] != defaults()[name]]
    assert values, f"no row gives {name} a value other than {defaults()[name]!r}"


@pytest.mark.parametrize(
    ("name", "choice"), [entry for entry in CHOICES if entry not in CHOICES_WITHOUT_ROW and has_gridder(dict([entry]))]
)
def test_choice_has_a_row(name: str, choice: object) -> None:
    assert any(call.get(name, defaults()[name]) == choice for call in CALLS), f"no row has {name}={choice!r}"


@pytest.mark.parametrize("flag", [name for name in TCLEANS if isinstance(defaults()[name], bool)])
def test_switch_has_rows_both_ways(flag: str) -> None:
    found = {call.get(flag, defaults()[flag]) for call in IMAGED}
    assert found == ({False} if flag in WITHOUT_ROW else {False, True})
