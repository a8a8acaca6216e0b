"""Records of CASA's, and our own, as JSON and back, to the last bit."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

# Keys of an object that stands for what JSON hasn't; no record has them.
ARRAY, ITEMS, TUPLE = "__array__", "__items__", "__tuple__"


def to_json(value: Any) -> Any:
    """Plain data, numpy's arrays and numbers, dicts with any keys, tuples -> what `json` writes.

    Raises
    ------
    TypeError
        There is something else among them.
    """
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biufcU":
            raise TypeError(f"no JSON form for an array of {array.dtype}")
        text = base64.b64encode(array.tobytes()).decode()
        return {ARRAY: text, "dtype": array.dtype.str, "shape": list(array.shape), "scalar": array is not value}
    if isinstance(value, dict):
        if all(type(key) is str for key in value):
            return {key: to_json(entry) for key, entry in value.items()}
        return {ITEMS: [[to_json(key), to_json(entry)] for key, entry in value.items()]}
    if isinstance(value, tuple):
        return {TUPLE: [to_json(entry) for entry in value]}
    if isinstance(value, list):
        return [to_json(entry) for entry in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"no JSON form for a {type(value).__name__}")


def from_json(value: Any) -> Any:
    """What `to_json` was given."""
    if isinstance(value, list):
        return [from_json(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if ARRAY in value:
        data = np.frombuffer(base64.b64decode(value[ARRAY]), value["dtype"]).reshape(value["shape"])
        return data[()] if value["scalar"] else data.copy()
    if ITEMS in value:
        return {from_json(key): from_json(entry) for key, entry in value[ITEMS]}
    if TUPLE in value:
        return tuple(from_json(entry) for entry in value[TUPLE])
    return {key: from_json(entry) for key, entry in value.items()}
