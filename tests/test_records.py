"""Records come back from JSON as they were, types and bits."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from pcleantask.records import from_json, to_json

RECORDS: list[Any] = [
    {"a": 1, "b": 2.5, "c": "text", "d": None, "e": True, "f": [1, [2, {}]]},
    {0: {1: {"x": [0.1 + 0.2, 1e-320]}}, (1, 2): (3, [4])},
    {"array": np.arange(6.0).reshape(2, 3), "int": np.int64(3), "float": np.float32(0.1), "bool": np.bool_(True)},
    {"empty": np.zeros((7, 0)), "words": np.array(["a", "bcd"]), "order": np.arange(6).reshape(2, 3, order="F")},
    [float("inf"), -float("inf")],
]


def is_same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("record", RECORDS)
def test_records_come_back_as_they_were(record: Any) -> None:
    assert is_same(from_json(json.loads(json.dumps(to_json(record)))), record)


def test_nan_comes_back() -> None:
    assert math.isnan(from_json(json.loads(json.dumps(to_json({"x": math.nan}))))["x"])


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([None]), b"bytes"])
def test_what_has_no_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no JSON form for"):
        to_json({"value": value})
