"""The provenance footer of a chapter: source, parameters, seed, versions, commit and run time."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from IPython.display import HTML

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.publish.old_parameters import CohortParameters, allowed
from ethnicmer_lib.store import old_runs as runs


def record(
    parameters: CohortParameters, provenance: Provenance, used: Iterable[runs.Run] = ()
) -> dict[str, Any]:
    """Everything needed to make a chapter's numbers again, as a flat dictionary of texts.

    The versions, commit and machine are those of the run that computed the numbers, which may be older
    than the page that shows them.
    """
    used = list(used)
    made = [json.loads((run.path / "run.json").read_text()) for run in used] or [runs.environment()]
    first = made[0]
    seconds = {name: value for run in used for name, value in run.seconds().items()}
    return {
        "Data": provenance.source + (" (SIMULATED)" if provenance.simulated else ""),
        "Cohort fingerprint": provenance.fingerprint,
        "Parameters": ", ".join(f"{name}={value!r}" for name, value in parameters.identity().items()),
        "Seed": str(parameters.seed),
        "Computed": first["time"],
        "Compute time": f"{sum(seconds.values()):.0f} s",
        "Runs": ", ".join(run.path.name for run in used) or "none",
        "Commit": first["commit"],
        "Versions": ", ".join(
            f"{name} {version}"
            for name, version in {
                "ethnicmer_lib": first["library"],
                "Python": first["python"],
                **first["versions"],
            }.items()
        ),
        "Machine": first["machine"],
    }


def footer(parameters: CohortParameters, provenance: Provenance, used: Iterable[runs.Run] = ()) -> HTML:
    """The record, and the chapter's parameters with what is allowed, as two folded tables at the end of a page."""
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in record(parameters, provenance, used).items()
    )
    model = type(parameters)
    names = "".join(
        f"<tr><th scope='row'><code>{name}</code></th><td>{html.escape(repr(value))}</td>"
        f"<td>{html.escape(allowed(model, name))}</td>"
        f"<td>{html.escape(str(model.model_fields[name].description))}</td></tr>"
        for name, value in parameters.identity().items()
    )
    return HTML(
        "<details class='provenance'><summary>Where these numbers come from</summary>"
        f"<table>{rows}</table></details>"
        "<details class='provenance'><summary>Parameters of this page, and what else they could be</summary>"
        "<table class='parameters'><thead><tr><th>name</th><th>here</th><th>allowed</th><th>meaning</th></tr></thead>"
        f"<tbody>{names}</tbody></table></details>"
    )
