"""Images of sums in another order are told from others: within a part of the peak, and masked where both are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pcleantask import casa
from tests.agreement.closeness import TOLERANCE, deviations

PIXELS = np.linspace(0.1, 1.0, 16, dtype=np.float32).reshape(4, 4, 1, 1)
LIMIT = float(PIXELS[1, 0, 0, 0])


def write(folder: Path, alpha_from: float, alpha: float = 1.0) -> dict[str, Path]:
    """.image.tt0, and an .alpha that is good where that is at least `alpha_from`."""
    folder.mkdir()
    found = {suffix: folder / f"img{suffix}" for suffix in (".image.tt0", ".alpha")}
    with casa.tool("image") as image:
        image.fromarray(str(found[".image.tt0"]), PIXELS)
    with casa.tool("image") as image:
        image.fromarray(str(found[".alpha"]), alpha * PIXELS)
        image.calcmask(f'"{found[".image.tt0"]}" >= {alpha_from!r}', name="mask0")
    return found


def test_rounding_may_decide_about_a_pixel_at_the_limit(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", LIMIT), write(tmp_path / "other", LIMIT * (1 + TOLERANCE))
    assert list(deviations(one, other)) == []
    assert list(deviations(other, one)) == []


def test_other_pixels_are_masked_alike(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", LIMIT), write(tmp_path / "other", LIMIT + 0.1)
    for pair in ((one, other), (other, one)):
        with pytest.raises(AssertionError, match="alpha: other pixel mask"):
            list(deviations(*pair))


def test_values_are_close(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", LIMIT), write(tmp_path / "other", LIMIT, alpha=1.001)
    (line,) = deviations(one, other)
    assert line.startswith(".alpha: 0.001 off")
