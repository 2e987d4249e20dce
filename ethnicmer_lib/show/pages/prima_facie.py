"""The prima facie page: every draw of subjects, Table IV with its spread, the differences between scenarios."""

from __future__ import annotations

from typing import Any

import numpy as np
from IPython.display import HTML

from ethnicmer_lib.design.forest import BINARY
from ethnicmer_lib.design.prima_facie import PrimaFacieResult
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import style as figures

CONFOUND = (
    "Group and database nearly coincide in the real databases, so a difference between scenarios could be one of "
    "cameras, instructions and coders as well as one of people."
)


def values(result: PrimaFacieResult) -> dict[str, Any]:
    """Figures and texts of the page."""
    p, table = result.parameters, result.table.set_index("scenario")
    features = (
        f"Features are the 512 outputs of a ResNet-18 at {p.image_size} pixels with {_weights(p.weights)}."
        if p.features == "resnet18"
        else "The forest sees the optical flow image itself, at 28 × 28 pixels."
    )
    return {
        "n_subjects": p.n_subjects,
        "n_draws": p.n_draws,
        "features_note": features,
        "draws": figures.scenario_draws(
            result.draws, table["macro_paper"].to_dict(), table["majority"].to_dict(), result.provenance
        ),
        "comparability": (
            "the clips here are simulated, so agreement or disagreement with them would mean nothing."
            if result.provenance.simulated
            else "the clips are those of the real databases, with features aligned to their own labels."
        ),
        "confound_note": CONFOUND
        if not result.provenance.simulated
        else (
            "In the simulated cohort group and database are entangled as in the real ones, and no group difference is "
            f"built in beyond a texture of strength {p.texture_cue:g}: what differs here differs by chance, by "
            "database, or by class balance."
        ),
    }


def _weights(weights: str) -> str:
    return {
        "none": "random weights, which keep the study offline and are not what the paper used",
        "imagenet": "ImageNet weights, as in the paper",
    }.get(weights, "weights from a file")


def scenarios(result: PrimaFacieResult) -> HTML:
    """Median over draws with the middle 95 % of draws, per scenario and score, beside the printed cells."""
    rows = result.table.copy()
    for score in (*BINARY, "macro"):
        rows[f"{score}_shown"] = [
            notebook.with_interval(row[score], row[f"{score}_low"], row[f"{score}_high"])
            for _, row in rows.iterrows()
        ]
        rows[f"{score}_paper"] = [f"{value:.4f}" for value in rows[f"{score}_paper"]]
    rows["clips"] = rows["clips"].astype(int)
    rows["share"] = [f"{value:.0%}" for value in rows["share_negative"]]
    columns = {"scenario": "scenario", "clips": "clips", "share": "negative"}
    for score in (*BINARY, "macro"):
        columns |= {f"{score}_shown": "macro F1" if score == "macro" else score, f"{score}_paper": "paper"}
    columns["majority"] = "larger class, macro F1"
    return notebook.table(
        rows,
        f"F1 per class and macro F1: median and middle 95 % of {result.parameters.n_draws} draws.",
        result.provenance,
        columns=columns,
        note="<em>paper</em>: the cell printed in Table IV, from the real databases.",
    )


def differences(result: PrimaFacieResult) -> HTML:
    """Mean difference over draws with its interval over subjects and draws."""
    rows = result.differences.copy()
    rows["shown"] = [
        notebook.with_interval(row["value"], row["low"], row["high"]) for _, row in rows.iterrows()
    ]
    rows["below"] = [
        "–" if np.isnan(row["draws_below_zero"]) else f"{row['draws_below_zero']:.0f} of {row['draws']:.0f}"
        for _, row in rows.iterrows()
    ]
    columns = {
        "comparison": "comparison",
        "shown": "difference, 95 % interval",
        "below": "draws below zero",
        "paper": "paper",
    }
    return notebook.table(
        rows,
        "Differences of macro F1, with intervals from resampling subjects and draws.",
        result.provenance,
        columns=columns,
    )
