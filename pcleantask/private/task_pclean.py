"""The recipe of the task: parameters -> configuration -> imager -> return dictionary."""

from __future__ import annotations

from typing import Any


def pclean(**parameters: Any) -> dict[str, Any]:
    """Image with these parameters, which the task wrapper has completed and type-checked.

    Returns
    -------
    dict
        tclean's return dictionary.

    Raises
    ------
    PcleanError
        One of the named errors of `pcleantask.errors`, before any work where the input is at fault.
    """
    from .. import casa, cautions
    from ..config import PcleanConfig
    from ..cores import limited_threads
    from ..gridding.ducc.support import with_data_seen
    from ..imaging.cautions import start_cautions, start_model_cautions
    from ..imaging.serial_imager import SerialImager
    from ..parallel.asked import with_defaults
    from ..parallel.plan import Plan
    from ..parallel.team_runs import make_run
    from ..processes import mpi_team
    from ..progress import ScreenProgress

    parameters, told = with_defaults(parameters)
    for line in told:
        casa.post(line)
    config = with_data_seen(PcleanConfig.from_parameters(**parameters))
    in_job = mpi_team.link() is not None
    found = cautions.of_parameters(parameters, in_mpi_job=in_job, is_parallel=parameters["parallel"])
    for caution in found + start_model_cautions(config) + start_cautions(config):
        casa.post(caution, "WARN")
    progress = ScreenProgress(config.iteration.niter, casa.jansky(config.iteration.threshold))
    plan = Plan.of(config)
    run = make_run(config, plan)
    with (
        limited_threads(plan.threads if run is None else 0),
        SerialImager(config, progress=progress, history=parameters, run=run) as imager,
    ):
        return imager.run()
