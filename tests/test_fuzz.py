"""Whatever is put into parameters, a call makes images or raises an error with a name: drawn at random, by seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcleantask.parameters import definitions
from tests.agreement.runner import Call, TaskProcess

SETS = 500
SETS_A_TEST = 10
SHORT_TESTS = 3
LIMIT_S = 60.0
SMALL: dict[str, Any] = {
    "vis": "line.ms", "imagename": "img", "imsize": 32, "cell": "0.8arcsec", "specmode": "cube", "nchan": 2,
    "start": "230.001GHz", "width": "1MHz", "niter": 3,
}  # fmt: skip
TEXTS = (
    *(
        "",
        " ",
        "x",
        "\u00e4\u4e2d",
        "a" * 5000,
        "\0",
        "..",
        "/",
        "-1",
        "1e999",
        "nan",
        "5km",
        "[[",
        "]",
        "'",
        '"',
        "\n",
    ),
    *(
        "$HOME/x",
        "~nobody/x",
        "0",
        "1GHz",
        "-3km/s",
        "10pix",
        "1e-400arcsec",
        "J2000 1h 2d",
        "0~2",
        "*",
        "!1",
        "line.ms",
    ),
    *("circle[[9pix,9pix],3pix]", "{}", "%s", "\\", "None", "\udcff"),
)
NUMBERS = (0, 1, -1, 7, 2**31 - 1, -(2**31), 2**40, 0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, float("inf"), float("nan"))
OTHERS = (
    None,
    True,
    False,
    [],
    [""],
    [1, "a"],
    [[1]],
    {},
    {"a": 1},
    b"x",
    (1,),
    np.float32(2),
    np.arange(2),
    1j,
    object,
)
# Parameters whose largest values are for machines that tests aren't run on, and where the images go.
LEFT_OUT = {"imagename", "imsize", "nchan", "vis", "parallel", "nworkers", "cfcache", "wprojplanes", "facets", "nterms"}


def drawn(seed: int) -> dict[str, Any]:
    """One to three parameters with values that few would give, or that some do."""
    draw = random.Random(seed)
    names = draw.sample(sorted(set(definitions()) - LEFT_OUT), draw.choice((1, 1, 2, 3)))
    return {name: _value(draw, name) for name in names}


def _value(draw: random.Random, name: str) -> Any:
    """Mostly one of the parameter's own types, within its choices or not."""
    parameter = definitions()[name]
    types = " ".join(parameter.types)
    own: list[tuple[Any, ...]] = [parameter.choices] * 4 if parameter.choices else []
    own += [TEXTS] if any(kind in types for kind in ("string", "path", "any", "variant")) else []
    own += [tuple(filter(_is_whole, NUMBERS))] if "int" in types else []
    own += [NUMBERS] if "double" in types else []
    own += [(True, False)] if "bool" in types else []
    value = draw.choice(draw.choice(own if own and draw.random() < 0.85 else [TEXTS, NUMBERS, OTHERS]))
    return [value] * draw.choice((1, 2, 3)) if "Vec" in types or draw.random() < 0.1 else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int)


@pytest.fixture
def process(session_dir: Path) -> Iterator[TaskProcess]:
    with TaskProcess(session_dir) as process:
        yield process


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, marks=[pytest.mark.long] if number >= SHORT_TESTS else [])
        for number in range(SETS // SETS_A_TEST)
    ],
)
def test_random_parameters_are_imaged_with_or_refused_by_name(
    number: int, tmp_path: Path, dataset: Callable[[str], Path], process: TaskProcess
) -> None:
    (tmp_path / "line.ms").symlink_to(dataset("line"))
    faults = []
    for seed in range(number * SETS_A_TEST, (number + 1) * SETS_A_TEST):
        try:
            (outcome,) = process.run(
                [Call("pclean", {**SMALL, **drawn(seed), "imagename": f"img{seed}"})], tmp_path, LIMIT_S
            )
        except Exception as error:  # noqa: BLE001  what can't be sent to another process
            faults.append(f"{seed}: {drawn(seed)!r:.200}: can't be sent: {error}")
            continue
        last = outcome.error.strip().splitlines()[-1] if outcome.error else ""
        if last and not any(line.startswith("pcleantask.errors.") for line in outcome.error.splitlines()):
            faults.append(f"{seed}: {drawn(seed)!r:.200}: {last[:300]}")
    assert not faults, "\n".join(faults)
