"""Cohorts: three sources of clips behind one interface, and the one function that opens them."""

from __future__ import annotations

from ethnicmer_lib.cohort.clips import COLUMNS, LABELS, Cohort, Moment, Provenance, check_clips
from ethnicmer_lib.parameters import CohortParameters

__all__ = ["COLUMNS", "LABELS", "Cohort", "Moment", "Provenance", "check_clips", "open_cohort"]


def open_cohort(parameters: CohortParameters, progress: bool = False) -> Cohort:
    """Open the cohort that ``parameters.data`` names; a simulated one is rendered first if it is not there.

    Parameters
    ----------
    parameters : CohortParameters
        Any chapter's parameters.
    progress : bool
        Show a progress bar where opening takes long.

    Raises
    ------
    StudyError
        When the source's folder is not given, or a file in it is missing or wrong.
    """
    # Imported here so that reading published flow needs neither the simulator nor spreadsheets.
    if parameters.data == "flow":
        from ethnicmer_lib.cohort.flow import open_flow

        return open_flow(parameters.flow_dir, parameters.ethnic_mapping)
    if parameters.data == "licensed":
        from ethnicmer_lib.cohort.licensed import open_licensed

        return open_licensed(parameters.casme2_dir, parameters.samm_dir, parameters.annotations, parameters)
    from ethnicmer_lib.cohort.simulated import open_simulated

    return open_simulated(parameters, progress=progress)
