"""Source names become clips: the one place that knows simulated, published and licensed clips."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ethnicmer_lib.clips.labels import CASME2, SAMM
from ethnicmer_lib.clips.table import Cohort
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.old_parameters import CohortParameters
from ethnicmer_lib.simulator.layout import FOLDERS, GROUPS, truth_path
from ethnicmer_lib.simulator.settings import SimulatorSettings
from ethnicmer_lib.simulator.write import fingerprint, write_cohort
from ethnicmer_lib.store import old_runs as runs

#: Names that a setting of the simulator has among a chapter's parameters, where they differ.
_PARAMETERS = {"size": "cohort_size", "seed": "simulator_seed"}


class Truth(NamedTuple):
    """What really moved between onset and apex, on the pixels of the onset frame.

    Attributes
    ----------
    flow : (H, W, 2) float32, px, x right and y down; 0 in the background
    mask : (H, W) uint8, 0 background, 1 skin, 2 eyes, 3 teeth
    occluded : (H, W) bool, True where the surface is hidden at the apex
    """

    flow: np.ndarray
    mask: np.ndarray
    occluded: np.ndarray


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
        from ethnicmer_lib.clips.published import open_flow

        return open_flow(parameters.flow_dir, parameters.ethnic_mapping)
    if parameters.data == "licensed":
        from ethnicmer_lib.clips.licensed import open_licensed
        from ethnicmer_lib.clips.policies import Policies

        policies = Policies(**{name: getattr(parameters, name) for name in Policies.__dataclass_fields__})
        return open_licensed(
            parameters.casme2_dir,
            parameters.samm_dir,
            parameters.annotations,
            policies,
            parameters.ethnic_mapping,
        )
    return open_simulated(parameters, progress=progress)


def settings_of(parameters: CohortParameters) -> SimulatorSettings:
    """The simulator's settings among a chapter's parameters; the default of those that are no parameter."""
    names = {field.name: _PARAMETERS.get(field.name, field.name) for field in fields(SimulatorSettings)}
    known = {setting: name for setting, name in names.items() if name in CohortParameters.model_fields}
    return SimulatorSettings(**{setting: getattr(parameters, name) for setting, name in known.items()})


def simulated_folder(settings: SimulatorSettings) -> Path:
    """Where the workspace keeps the cohort of these settings."""
    return runs.workspace() / "cohorts" / f"simulated-{fingerprint(settings)}"


def open_simulated(parameters: CohortParameters, progress: bool = False) -> Cohort:
    """The simulated cohort of these parameters, rendered now as far as the workspace lacks it."""
    from ethnicmer_lib.clips.licensed import open_licensed

    settings = settings_of(parameters)
    root = write_cohort(simulated_folder(settings), settings, progress=progress)
    return open_licensed(root / FOLDERS[CASME2], root / FOLDERS[SAMM], root / GROUPS)


def truth(cohort: Cohort, clip_id: str) -> Truth:
    """The true motion of a clip; StudyError for an unknown clip or where the cohort is not simulated."""
    with np.load(_stored(cohort, clip_id)) as stored:
        return Truth(stored["flow"].astype(np.float32), stored["mask"], stored["occluded"])


def true_action_units(cohort: Cohort, clip_id: str) -> dict[int, tuple[float, float]]:
    """{AU: (left, right)} peak displacement in px from onset to apex, however small; StudyError as in `truth`."""
    with np.load(_stored(cohort, clip_id)) as stored:
        pairs = zip(stored["action_units"], stored["sides"], strict=True)
        return {int(unit): (float(left), float(right)) for unit, (left, right) in pairs}


def _stored(cohort: Cohort, clip_id: str) -> Path:
    row = cohort.row(clip_id)
    root = getattr(cohort, "root", None)
    if not cohort.provenance.simulated or root is None:
        raise StudyError(
            f"clip {clip_id}: the true motion is known for simulated clips only, and this cohort is "
            f"{cohort.provenance.source}; use data='simulated'"
        )
    path = truth_path(Path(root), row["database"], row["subject"], row["clip"])
    if not path.is_file():
        raise StudyError(
            f"clip {clip_id}: {path} is missing; delete the folder {root} and open the cohort again"
        )
    return path
