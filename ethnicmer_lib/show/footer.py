"""The end of a page: where its numbers come from, and what its parameters could be instead."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from IPython.display import HTML

from ethnicmer_lib.store import Recording, environment, provenance_of, used_runs


def footer(p: Any, *of: Any) -> HTML:
    """Two folded tables at the end of a page: where its numbers come from, and its parameters.

    ``p`` are the page's parameters, as ``em.parameters`` gave them; ``of`` the clips and recordings that it is about.
    The versions, commit and machine are those of the runs that computed the numbers, which may be older than the page.
    """
    runs = used_runs()
    first = runs[0].about() if runs else environment()
    sources = list(dict.fromkeys(map(provenance_of, of)))
    versions = {"ethnicmer_lib": first["library"], "Python": first["python"], **first["versions"]}
    made_by = {
        "Data": "; ".join(one.source + " (SIMULATED)" * one.simulated for one in sources) or "none",
        "Fingerprint of the clips": ", ".join(one.fingerprint for one in sources),
        "Parameters": ", ".join(f"{name}={value!r}" for name, value in p.identity().items()),
        "Computed": first["time"],
        "Compute time": f"{sum(sum(run.seconds().values()) for run in runs):.0f} s",
        "Runs": ", ".join(run.path.name for run in runs) or "none",
        "Commit": first["commit"],
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "Machine": first["machine"],
    }
    recorded = [
        (one.name, part, about)
        for one in of
        if isinstance(one, Recording)
        for part, about in one.parts.items()
    ]
    made_by |= {f"Recorded: {name}, {part}": _recorded(about) for name, part, about in recorded}
    return HTML(
        "<details class='provenance'><summary>Where these numbers come from</summary>"
        f"<table>{_rows(made_by.items())}</table></details>"
        "<details class='provenance'><summary>Parameters of this page, and what else they could be</summary>"
        "<table class='parameters'><thead><tr><th>name</th><th>here</th><th>allowed</th><th>meaning</th></tr></thead>"
        f"<tbody>{_rows(p.explained())}</tbody></table></details>"
    )


def _recorded(part: Mapping[str, Any]) -> str:
    """How a part of a recording was made, and what it cost where that was noted."""
    cost = f"{part['seconds'] / 3600:.1f} hours of one core, " if "seconds" in part else ""
    return f"{part['command']} ({cost}commit {part['made']['commit']}, {part['made']['time'][:10]})"


def _rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(
        f"<tr><th scope='row'>{html.escape(first)}</th>{''.join(f'<td>{html.escape(one)}</td>' for one in rest)}</tr>"
        for first, *rest in rows
    )
