"""What scripts/bench runs in processes of their own: `python bench_child.py JOB_FILE`, a step a process.

Nothing is imported that the step does not need, as some steps run in the environments of other packages.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMAGENAME = "out"


def run_tclean(parameters: dict[str, Any]) -> float:
    """Image with casatasks' tclean, set up as any script would; the duration of the call [s]."""
    from casatasks import tclean

    return _timed(lambda: tclean(**parameters))


def run_pclean(parameters: dict[str, Any]) -> float:
    """Image with pclean; the duration of the call [s]."""
    from pcleantask import pclean

    return _timed(lambda: pclean(**parameters))


def update_mask(parameters: dict[str, Any]) -> float:
    """Make the automask of the residual on disk, by the engine that the parameters name; its duration [s]."""
    from pcleantask import PcleanConfig, toolrecords
    from pcleantask.images.store import ImageStore
    from pcleantask.imaging import masking
    from pcleantask.imaging.deconvolver import Deconvolver

    config = PcleanConfig.from_parameters(**parameters)
    image = config.fields[0]
    record = masking.mask_decpars(config, image, toolrecords.to_casa_decpars(config, image, IMAGENAME, 0))
    deconvolver = Deconvolver(IMAGENAME, record)
    mask = masking.make_mask(config, image, deconvolver, ImageStore(keeps=False))
    deconvolver.init_record()
    seconds = _timed(lambda: mask.update(iterations=0, threshold_reached=False))
    deconvolver.close()
    return seconds


def run_minor_cycle(parameters: dict[str, Any]) -> float:
    """Clean the residual on disk for `niter` iterations with a kind of deconvolver; the duration of the call [s]."""
    from pcleantask import PcleanConfig, toolrecords
    from pcleantask.images.store import ImageStore
    from pcleantask.imaging.cleaners import make_deconvolver
    from pcleantask.imaging.iteration import IterationControl

    kind = parameters.pop("kind")
    config = PcleanConfig.from_parameters(**parameters)
    decpars = toolrecords.to_casa_decpars(config, config.fields[0], IMAGENAME, 0)
    deconvolver = make_deconvolver(IMAGENAME, decpars, ImageStore(), in_memory=kind == "memory")
    control = IterationControl(toolrecords.to_casa_iterpars(config, (IMAGENAME,)))
    deconvolver.init_record()
    deconvolver.setup_mask()
    control.converged([deconvolver.init_record()])
    controls = {**control.start_minor_cycle(), "cyclethreshold": 0.0}
    seconds = _timed(lambda: deconvolver.minor_cycle(controls))
    deconvolver.close()
    control.close()
    return seconds


def run_casa_pclean(parameters: dict[str, Any]) -> float:
    """Image with the peer's pclean; the duration of the call [s]."""
    from pclean import pclean

    lists = {"imsize": [parameters["imsize"]] * 2, "cell": [parameters["cell"]]}  # it takes no other form
    return _timed(lambda: pclean(**{**parameters, **lists}))


def run_casampi_tclean(parameters: dict[str, Any]) -> float:
    """Image with tclean as the client of an MPI job; the other ranks never come back from the first import."""
    import casampi.private.start_mpi  # noqa: F401
    from casatasks import tclean

    return _timed(lambda: tclean(**parameters))


def run_wsclean(parameters: dict[str, Any]) -> float:
    """Image with WSClean on two threads, same size, cell, weights and threshold; the duration of the call [s].

    With its own -mgain of 0.8 it makes major cycles, as tclean does.
    """
    options = {
        "-j": 2, "-name": IMAGENAME, "-size": f"{parameters['imsize']} {parameters['imsize']}",
        "-scale": parameters["cell"].replace("arcsec", "asec"), "-weight": f"briggs {parameters['robust']}",
        "-niter": parameters["niter"], "-threshold": parameters["threshold"], "-mgain": 0.8, "-pol": "I",
        "-data-column": "DATA",
    }  # fmt: skip
    if parameters["specmode"] == "cube":
        options["-channels-out"] = parameters["nchan"]
    words = [word for name, value in options.items() for word in (name, *str(value).split())]
    return _timed(lambda: subprocess.run(["wsclean", *words, parameters["vis"]], check=True))


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def prepare_data(job: dict[str, Any]) -> dict[str, Any]:
    """Simulate the MeasurementSet, and write where CASA's data are for the processes that import casatasks bare."""
    from simulate import simulate_ms

    simulate_ms(job["vis"], **job["simulation"])
    from casaconfig import config

    names = ("measurespath", "datapath", "measures_auto_update", "data_auto_update")
    lines = [f"{name} = {getattr(config, name)!r}\n" for name in names]
    Path(job["site_config"]).write_text("".join(lines), encoding="utf-8")
    return {}


def check_images(job: dict[str, Any]) -> dict[str, Any]:
    """Fail where an image in the first folder that is to show a run's work is zero everywhere."""
    from pcleantask import casa

    for suffix in job["proof"]:
        name = f"{job['first']}/{IMAGENAME}{suffix}"
        with casa.opened_image(name) as image:
            if not image.getchunk().any():
                raise SystemExit(f"{name} is zero everywhere: the run has done nothing")
    return {}


def compare_images(job: dict[str, Any]) -> dict[str, Any]:
    """The largest pixel difference of each image in the first folder from its namesake in the second."""
    check_images(job)
    first, second = Path(job["first"]), Path(job["second"])
    found = sorted(first.glob(IMAGENAME + job["compared"]))
    images = [path.name for path in found if (path / "table.dat").exists()]
    return {name.removeprefix(IMAGENAME): _largest_difference(first / name, second / name) for name in images}


def _largest_difference(first: Path, second: Path) -> float:
    """Infinite where an image is missing, of another shape, or blank in other places."""
    import numpy as np

    from pcleantask import casa

    if not second.is_dir():
        return float("inf")
    pixels, valid = [], []
    for path in (first, second):
        with casa.opened_image(str(path)) as image:
            pixels.append(image.getchunk())
            valid.append(image.getchunk(getmask=True))
    if pixels[0].shape != pixels[1].shape or not np.array_equal(valid[0], valid[1]):
        return float("inf")
    with np.errstate(invalid="ignore"):
        difference = np.abs(pixels[0] - pixels[1])
    difference[pixels[0] == pixels[1]] = 0.0
    difference[np.isnan(pixels[0]) & np.isnan(pixels[1])] = 0.0
    return float(np.nan_to_num(difference, nan=np.inf, posinf=np.inf).max())


def image_once(job: dict[str, Any]) -> dict[str, Any]:
    """One run of a contestant."""
    seconds = RUNS[job["run"]](job["parameters"])
    for suffix in job["proof"]:
        if not Path(IMAGENAME + suffix).is_dir():
            raise SystemExit(f"{job['run']} made no {IMAGENAME}{suffix}: see its CASA log")
    return {"call_s": seconds}


RUNS = {
    "tclean": run_tclean,
    "pclean": run_pclean,
    "mask": update_mask,
    "minor": run_minor_cycle,
    "casa-pclean": run_casa_pclean,
    "casampi-tclean": run_casampi_tclean,
    "wsclean": run_wsclean,
}
STEPS = {"prepare": prepare_data, "image": image_once, "check": check_images, "compare": compare_images}


def main(job_file: Path) -> None:
    """Do the step that the file describes, and write its answer."""
    del sys.argv[1:]  # casaconfig would parse them
    job = json.loads(job_file.read_text(encoding="utf-8"))
    answer = STEPS[job["step"]](job)
    Path(job["answer_file"]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
