"""Sub-parameters: which are in use, and the defaults that they have there. The CASA shell shows and fills in by this.

`given` is what a user has set, name -> value; what is not in it has its default. Standard library only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from .parameters import Condition, Parameter, definitions


def condition_in_use(parameter: Parameter, given: Mapping[str, Any]) -> Condition | None:
    """The condition that brings a sub-parameter into use; None where it is not in use, or is no sub-parameter."""
    for condition in parameter.conditions:
        parent = definitions()[condition.parent]
        if condition.holds(parent.coerced(value(parent, given))):
            return condition
    return None


def default(parameter: Parameter, given: Mapping[str, Any]) -> Any:
    """A copy of the default that the parameter has in this context, else of the one in the signature."""
    condition = condition_in_use(parameter, given)
    return copy.deepcopy(parameter.default if condition is None else condition.default)


def value(parameter: Parameter, given: Mapping[str, Any]) -> Any:
    """What a call takes for the parameter: what is given, else its default in this context."""
    return given[parameter.name] if parameter.name in given else default(parameter, given)


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a call, in the order of the signature: name -> value."""
    return {name: value(parameter, given) for name, parameter in definitions().items()}


def is_parent(parameter: Parameter) -> bool:
    """Whether other parameters come into use with a value of this one."""
    return any(condition.parent == parameter.name for item in definitions().values() for condition in item.conditions)


def shown(given: Mapping[str, Any], parent: str = "") -> Iterator[Parameter]:
    """The parameters in use, in the order of the signature, sub-parameters after their parent."""
    for parameter in definitions().values():
        condition = condition_in_use(parameter, given)
        if (condition.parent if condition else "") == parent and bool(parameter.conditions) == bool(parent):
            yield parameter
            yield from shown(given, parameter.name)
