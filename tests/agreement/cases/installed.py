"""What the installed tclean takes: older ones lack some choices, which rows are then left out."""

from __future__ import annotations

import importlib.util
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path
from typing import Any

CASA = "{http://casa.nrao.edu/schema/psetTypes.html}"


@cache
def _gridders() -> set[str]:
    """The gridders in tclean's definition, read as text: importing casatasks takes seconds."""
    spec = importlib.util.find_spec("casatasks")
    assert spec is not None and spec.submodule_search_locations
    path = Path(next(iter(spec.submodule_search_locations))) / "__xml__" / "tclean.xml"
    element = ET.parse(path).getroot().find(f".//{CASA}param[@name='gridder']")
    assert element is not None
    return {(item.text or "").strip() for item in element.findall(f"{CASA}allowed/{CASA}value")}


def has_gridder(parameters: dict[str, Any]) -> bool:
    """Whether tclean has the gridder that these parameters ask for."""
    return parameters.get("gridder", "standard") in _gridders()
