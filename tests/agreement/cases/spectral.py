"""Rows about the spectral axis."""

from __future__ import annotations

from dataclasses import replace

from .furnish import ephemeris_table, tracked_field
from .table import AUTO, Params, after, cube, mfs

PLANET: Params = {
    "vis": "planet.ms",
    "specmode": "cubesource",
    "phasecenter": "URANUS",
    "nchan": -1,
    "start": "",
    "width": "",
}

SPECTRAL = [
    cube("cube-channels", nchan=5, start=3, width=1),
    cube("cube-channels-all", nchan=-1, start="", width=""),
    cube("cube-channels-wide", nchan=4, start=1, width=2),
    cube("cube-channels-reversed", nchan=5, start=9, width=-1),
    cube("cube-frequency-topo", outframe="TOPO", start="230.003GHz"),
    cube("cube-frequency-bary", outframe="BARY", start="229.990GHz"),
    cube("cube-frequency-reversed", start="230.005GHz", width="-1MHz"),
    cube("cube-frequency-odd", start="229.998GHz", width="1.3MHz"),
    cube("cube-frequency-wide", start="229.999GHz", width="2MHz", nchan=4),
    cube("cube-velocity", start="8km/s", width="-1.32km/s", restfreq="230.005GHz"),
    cube("cube-velocity-up", start="0km/s", width="1.32km/s", restfreq="230.005GHz"),
    cube("cube-velocity-optical", start="8km/s", width="-1.32km/s", restfreq="230.005GHz", veltype="optical"),
    cube("cube-nearest", interpolation="nearest"),
    cube("cube-nearest-odd", interpolation="nearest", start="229.998GHz", width="1.3MHz"),
    cube("cube-cubic", interpolation="cubic"),
    cube("cube-beyond-the-band", start="229.993GHz", nchan=8),
    cube("cube-one-channel", nchan=1, start="230.003GHz"),
    cube("cube-flagged-channel", vis="flagged.ms", nchan=-1, start="", width=""),
    cube("cubedata", specmode="cubedata", start=2, width=1, nchan=6),
    cube("cubedata-frequency", specmode="cubedata", start="230.003GHz", width="1MHz", nchan=6),
    cube("cubesource", **PLANET),
    cube("cube-spw-selection", spw="0:2~9"),
    cube("mfs-line", specmode="mfs", spw="0:3~8", nchan=-1, start="", width="", niter=100),
    mfs("mfs-cont", specmode="cont"),
    mfs("mfs-reffreq", reffreq="225GHz"),
    cube("cube-start-record", start={"unit": "GHz", "value": 230.0}, width={"unit": "MHz", "value": 1.0}),
    cube("cube-velocity-cmb", start="8km/s", width="-1.32km/s", restfreq="230.005GHz", outframe="CMB"),
    cube("cube-restfreqs", start="8km/s", width="-1.32km/s", restfreq=["230.005GHz", "230.010GHz"]),
    cube("cube-channels-optical", veltype="optical", nchan=4, start=2, width=1),
    cube("cubedata-all-channels", specmode="cubedata", nchan=-1, start="", width="", weighting="briggs"),
    cube("cubedata-reversed", specmode="cubedata", start=8, width=-2, nchan=4),
    cube("cubesource-channels", **{**PLANET, "nchan": 3}),
    replace(cube("cubesource-briggs", **PLANET, weighting="briggs"), fails="failed in de/gridding"),
    after(
        cube("cubesource-pipeline", **{**PLANET, "phasecenter": "TRACKFIELD"}, weighting="briggsbwtaper"),
        tracked_field,
    ),
    after(cube("cubesource-trackfield", **{**PLANET, "phasecenter": "TRACKFIELD"}), tracked_field),
    after(cube("cubesource-ephemeris-table", **{**PLANET, "phasecenter": "uranus.tab"}), ephemeris_table),
    after(cube("cube-trackfield", **{**PLANET, "specmode": "cube", "phasecenter": "TRACKFIELD"}), tracked_field),
    after(mfs("mfs-trackfield", vis="planet.ms", phasecenter="TRACKFIELD"), tracked_field),
    after(mfs("mfs-ephemeris-table", vis="planet.ms", phasecenter="uranus.tab"), ephemeris_table),
    after(cube("cubesource-auto", **{**PLANET, **AUTO, "phasecenter": "TRACKFIELD"}), tracked_field),
]
