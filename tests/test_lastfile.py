"""A file of a call's parameters is read back as it was written, and is no program."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcleantask import parameters
from pcleantask.errors import ParameterError
from pcleantask.lastfile import read_last, write_last


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    values = {**parameters.defaults(), "vis": ["it's.ms", 'a "b".ms'], "niter": 5, "threshold": 0.1, "mask": "a=b # c"}
    write_last(tmp_path / "pclean.last", "pclean", values)
    text = (tmp_path / "pclean.last").read_text(encoding="utf-8")
    assert read_last(text, "pclean.last") == values
    *lines, call = text.splitlines()
    assert lines[1] == "selectdata           = True"
    assert len(lines) == len(values)
    assert call.startswith("#pclean( vis=")
    assert call.endswith(" )")


def test_name_of_the_task_and_empty_lines_are_passed_over() -> None:
    assert read_last("taskname = 'tclean'\n\n  # a remark\nniter = 5\n", "tclean.last") == {"niter": 5}


@pytest.mark.parametrize(
    ("text", "place"),
    [("vis = 'a.ms'\nniter = many\n", "line 2"), ("niter = print(1)\n", "line 1"), ("hello\n", "line 1")],
)
def test_file_that_holds_no_plain_values_is_an_error_with_the_line(text: str, place: str) -> None:
    with pytest.raises(ParameterError, match=f"pclean.last, {place}: expected name = value"):
        read_last(text, "pclean.last")
