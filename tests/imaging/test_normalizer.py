"""Normalizer: what it makes of one gridder's images is what a run leaves; of partial images, their weighted mean."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from pcleantask import Deconvolver, Normalizer, PcleanConfig, SerialImager
from pcleantask.errors import ImagingError, ParameterError
from pcleantask.gridding.casa import CasaGridder
from pcleantask.imaging.iteration import IterationControl
from pcleantask.toolrecords import to_casa_decpars, to_casa_iterpars, to_casa_normpars, tool_records
from tests.agreement.cases import MFS
from tests.agreement.compare import compare_images, read_image

SMALL = {**MFS, "imsize": 64, "niter": 20}
HALVES = ("<06:20:00", ">06:20:00")  # of the 40 minutes of data
SUM_ROUNDING = 1e-6  # of the peak: the halves are summed in another order, in float32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Callable[[str], Path]) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "continuum.ms").symlink_to(dataset("continuum"))
    return tmp_path


def config_of(timerange: str = "", **changes: object) -> PcleanConfig:
    return PcleanConfig.from_parameters(**{**SMALL, "imagename": "img", "timerange": timerange, **changes})


def normalizer_of(config: PcleanConfig, name: str, parts: list[str] | None = None) -> Normalizer:
    return Normalizer(to_casa_normpars(config, config.fields[0], name), parts)


def gridder_of(config: PcleanConfig, name: str) -> CasaGridder:
    gridder = CasaGridder(tool_records(config, (name,)))
    gridder.set_weighting()
    return gridder


def minor_cycle(config: PcleanConfig, name: str) -> None:
    """One minor cycle on the images of that name."""
    control = IterationControl(to_casa_iterpars(config, (name,)))
    with (
        closing(control),
        closing(Deconvolver(name, to_casa_decpars(config, config.fields[0], name, 0))) as deconvolver,
    ):
        control.converged([deconvolver.init_record()])
        deconvolver.setup_mask()
        control.converged([deconvolver.init_record()])
        assert deconvolver.minor_cycle(control.start_minor_cycle())["iterdone"] > 0


def cycle(gridders: list[CasaGridder], normalizer: Normalizer) -> None:
    normalizer.divide_model()
    for gridder in gridders:
        gridder.major_cycle(last=False)
    normalizer.normalize_residual()
    normalizer.restore_model()


def pixels(name: str) -> np.ndarray:
    return read_image(Path(name)).pixels


def test_one_gridder_and_normalizer_leave_what_run_leaves(folder: Path) -> None:
    config = config_of(niter=0, restoration=False)
    with SerialImager(config) as imager:
        imager.run()
    with closing(gridder_of(config, "alone")) as gridder, closing(normalizer_of(config, "alone")) as normalizer:
        gridder.make_psf()
        raw = pixels("alone.psf").max()
        normalizer.normalize_psf()
        gridder.make_pb()
        normalizer.normalize_pb()
        cycle([gridder], normalizer)
    assert raw > 100
    assert pixels("alone.psf").max() == pytest.approx(1.0, abs=1e-6)
    for suffix in (".psf", ".residual", ".pb", ".sumwt"):
        assert compare_images(folder / f"img{suffix}", folder / f"alone{suffix}") == [], suffix


def psf_residuals_and_model(config: PcleanConfig, name: str, parts: dict[str, PcleanConfig]) -> dict[str, np.ndarray]:
    """PSF and residual, one minor cycle, and the residual after it; `parts`: partial image -> its configuration."""
    made = {}
    with ExitStack() as stack:
        sources = parts or {name: config}
        gridders = [stack.enter_context(closing(gridder_of(part, where))) for where, part in sources.items()]
        normalizer = stack.enter_context(closing(normalizer_of(config, name, list(parts))))
        for gridder in gridders:
            gridder.make_psf()
        normalizer.normalize_psf()
        made["psf"], made["sumwt"] = pixels(f"{name}.psf"), pixels(f"{name}.sumwt")
        cycle(gridders, normalizer)
        made["residual"] = pixels(f"{name}.residual")
        minor_cycle(config, name)
        made["model"] = pixels(f"{name}.model")
        cycle(gridders, normalizer)
        made["residual after a minor cycle"] = pixels(f"{name}.residual")
    return made


def test_two_partial_images_gather_to_the_whole() -> None:
    """Two gridders, each on half of the rows: weights, PSF, residual, the model scattered, the residual again."""
    whole = config_of()
    halves = {f"half{number}": config_of(timerange) for number, timerange in enumerate(HALVES)}
    expected = psf_residuals_and_model(whole, "whole", {})
    found = psf_residuals_and_model(whole, "sum", halves)

    weights = [float(pixels(f"{name}.sumwt").item()) for name in halves]
    assert min(weights) > 0.2 * expected["sumwt"].item()
    assert found["sumwt"].item() == pytest.approx(sum(weights), rel=SUM_ROUNDING)
    assert expected["model"].max() > 0.3
    assert np.abs(expected["residual after a minor cycle"]).max() < 0.7 * expected["residual"].max()
    for name in ("psf", "sumwt", "residual"):
        scale = np.abs(expected[name]).max()
        assert np.abs(found[name] - expected[name]).max() <= SUM_ROUNDING * scale, name
    for name in ("model", "residual after a minor cycle"):
        assert np.abs(found[name] - expected[name]).max() <= 10 * SUM_ROUNDING, name
    for name in halves:
        assert np.array_equal(pixels(f"{name}.model"), found["model"]), name


def test_gathered_psf_is_weighted_mean_of_parts() -> None:
    """Against the arithmetic done here, on what each half makes alone."""
    halves = {f"half{number}": config_of(timerange) for number, timerange in enumerate(HALVES)}
    weighted = 0.0
    for name, config in halves.items():
        with closing(gridder_of(config, name)) as gridder:
            gridder.make_psf()
            weighted = weighted + pixels(f"{name}.psf")
    with closing(normalizer_of(config_of(), "sum", list(halves))) as normalizer:
        normalizer.normalize_psf()
    total = sum(pixels(f"{name}.sumwt").item() for name in halves)
    assert np.ptp(weighted) > 0.1 * total
    assert np.abs(pixels("sum.psf") - weighted / total).max() <= SUM_ROUNDING


def test_part_that_is_not_there_raises_imaging_error(folder: Path) -> None:
    with (
        closing(normalizer_of(config_of(), "sum", ["half0", "half1"])) as normalizer,
        pytest.raises(ImagingError, match="normalizing the PSF"),
    ):
        normalizer.normalize_psf()
    assert not (folder / "sum.psf").exists()


def test_wrong_record_raises_imaging_error() -> None:
    record = to_casa_normpars(config_of(), config_of().fields[0], "img")
    with pytest.raises(ImagingError, match="setting up the normalizer"):
        Normalizer({**record, "pblimit": "low"})


@pytest.mark.parametrize("wrong", [{}, None, {"nterms": 1}])
def test_record_without_an_image_is_named(wrong: dict[str, object] | None) -> None:
    with pytest.raises(ParameterError, match=r"normpars must be a record of toolrecords\.to_casa_normpars, got"):
        Normalizer(wrong)  # type: ignore[arg-type]
