"""What is drawn at random is imaged as tclean images it, in one process, on workers and by engine='ducc'.

`scripts/search N N+1 --show` runs a seed again, says all that differs, and changes it; `pytest --seed N` runs it here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SEARCH = Path(__file__).resolve().parents[2] / "scripts" / "search"
SEEDS = range(20)
LIMIT_S = 600


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The seeds asked for, or SEEDS."""
    if "seed" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--seed")
        metafunc.parametrize("seed", SEEDS if asked is None else [asked])


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, session_dir: Path) -> dict[int, str]:
    """What the script says of each seed that was asked for."""
    asked = request.config.getoption("--seed")
    first, last = (SEEDS.start, SEEDS.stop) if asked is None else (asked, asked + 1)
    command = [sys.executable, str(SEARCH), str(first), str(last), "--jobs", "2"]
    ran = subprocess.run(command, cwd=session_dir, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ran.returncode in (0, 1), ran.stderr
    found: dict[int, str] = {}
    for line in ran.stdout.splitlines()[:-1]:  # the last one counts
        if not line.startswith(" "):
            seed = int(line.split()[0])
        found[seed] = found.get(seed, "") + line + "\n"
    return found


@pytest.mark.timeout(LIMIT_S + 60)
def test_what_is_drawn_is_imaged_as_tclean_images_it(seed: int, reports: dict[int, str]) -> None:
    assert "DIFFERS" not in reports[seed], f"scripts/search {seed} {seed + 1} --show says more of\n{reports[seed]}"


def test_most_of_what_is_drawn_is_imaged(reports: dict[int, str]) -> None:
    words = " ".join(text.splitlines()[0] for text in reports.values())
    refused, images = words.count("parallel refused"), words.count("parallel ok") + words.count("parallel DIFFERS")
    assert images > refused or len(reports) == 1
