"""The motion page: flow and strain of clips, methods side by side, released strain, errors against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from ethnicmer_lib.clips.table import NEIGHBOURS
from ethnicmer_lib.evidence.comparison import TRUE
from ethnicmer_lib.evidence.motion import MotionResult
from ethnicmer_lib.evidence.motion_record import COMMAND, REFERENCE, MotionEvidence
from ethnicmer_lib.evidence.views import ANGLE, SHIFT, Views, border_ratio, rotation, shifted_crop
from ethnicmer_lib.motion.strain import optical_strain
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.show.figures import motion as figures_motion
from ethnicmer_lib.show.figures import style as figures

LEVEL = 0.05  #: p below it: a difference is shown
AIM = 0.5  #: error of micro with neighbours over that of DeepFlow from two frames that this study set out for
#: What methods are called; others by their name.
METHODS = {
    "dis": "DIS",
    "farneback": "Farnebäck",
    "deepflow": "DeepFlow",
    "tvl1": "TV-L1",
    "classic_nl_fast": "Classic+NL-fast",
    "micro": "micro",
    "true flow": "the true flow",
}


def name_of(way: str) -> str:
    """A way of computing flow in words: 'DeepFlow, neighbours'."""
    method, comma, rest = way.partition(",")
    return METHODS.get(method, method) + comma + rest


def values(result: MotionResult) -> dict[str, Any]:
    """Figures and texts of the page that follow from the chapter's result."""
    method = name_of(result.parameters.flow_method)
    rows, top = [], 0.5
    for example in result.examples:
        rows.append((f"{example.label}\ncomputed ({method})", example.computed))
        if example.true:
            rows.append((f"{example.label}\ntrue", example.true))
            top = max(top, float(np.percentile(np.abs(example.true["v"]), 99.5)))
        else:
            top = max(top, float(np.percentile(np.abs(example.computed["v"]), 99.5)))
    shown = {
        "method_name": method,
        "panels": figures_motion.motion_panels(rows, result.provenance, round(top, 1)),
        **_views(result.views),
        **_released(result.views),
    }
    if result.errors is None:
        note = "The true motion of these clips is not known, so no error can be given here."
        return shown | {
            "panels_note": "Red is to the right or downwards, blue to the left or upwards.",
            "error_note": note,
            "skin_note": "",
            "errors": figures.message(note, result.provenance),
        }
    errors = result.errors
    small = errors[errors["peak_px"] <= errors["peak_px"].median()]
    worse = float((errors["error_px"] > errors["zero_px"]).mean())
    return shown | {
        "panels_note": (
            "Upper row of each pair: computed from the frames; lower row: true, from the model that rendered them. "
            "Red is to the right or downwards, blue to the left or upwards."
        ),
        "error_note": (
            f"On the simulated cohort the true motion is known. Half of the clips peak below "
            f"{errors['peak_px'].median():.2f} pixels. The mean endpoint error of {method} is "
            f"{errors['error_px'].mean():.3f} px over all clips and {small['error_px'].mean():.3f} px over that "
            f"smaller half, where claiming no motion at all would cost {small['zero_px'].mean():.3f} px. "
            f"In {worse:.0%} of the clips the computed flow is further from the truth than no flow. "
            "Sensor noise, JPEG and flicker are in "
            "the frames, as in a recording."
        ),
        "skin_note": _skin(result, method),
        "errors": figures_motion.error_against_amplitude(errors, result.provenance),
    }


def _skin(result: MotionResult, method: str) -> str:
    dark, light, p = result.by_skin()
    if p >= LEVEL:
        verdict = f"no difference of {method} by skin is shown"
    else:
        verdict = f"{method} errs more on {'deep' if dark.value > light.value else 'light'} skin"
    return (
        f"In the half of the subjects with the deepest skin the mean endpoint error is {dark} px, in the other half "
        f"{light} px (halves within each database, intervals over subjects, permutation test p = {p:.3f}): {verdict}."
    )


def _views(views: Views) -> dict[str, Any]:
    grids = {}
    for quantity in ("v", "strain"):
        rows = []
        for i, peak in enumerate(views.peaks):
            maps = {name_of(name): values for name, values in views.maps(i, quantity).items()}
            top = float(np.percentile(np.abs(maps["truth"]), 99.5))
            rows.append((f"{peak:g} px", top, maps))
        grids[f"methods_{quantity}"] = figures_motion.method_grid(rows, views.provenance, quantity)
    return grids


def _released(views: Views) -> dict[str, Any]:
    """What the released strain makes of a rotation and of a head that moves as a whole."""
    turned = rotation()
    moved = shifted_crop(views.true[1])
    flows = {"turned by\n" + f"{ANGLE:g} rad": turned[..., 0], f"moved by\n{SHIFT:g} px": moved[..., 1]}
    rows = [
        (caption, component, optical_strain(flow), optical_strain(flow, as_released=True))
        for (caption, component), flow in zip(flows.items(), (turned, moved), strict=True)
    ]
    ours, released = rows[1][2], rows[1][3]
    inner = released[1:-1, 1:-1]
    interior = optical_strain(turned, as_released=True)[1:-1, 1:-1]
    return {
        "released": figures_motion.strain_pair(
            rows, views.provenance, ("flow component", "strain of Eq. 6", "strain as released")
        ),
        "rotation_ours": f"{optical_strain(turned).max():.4f}",
        "rotation_released": f"{interior.mean():.4f}",
        "rotation_angle": f"{ANGLE:g}",
        "border_ratio": f"{border_ratio(released):.1f}",
        "border_ratio_ours": f"{border_ratio(ours):.1f}",
        "border_left": f"{inner.max() / released.max():.0%}",
    }


def accuracy(evidence: MotionEvidence) -> HTML:
    """The table of endpoint error, strain correlation and cost of every way."""
    if evidence.accuracy is None:
        return _missing("accuracy")
    table = evidence.accuracy_table()
    peaks = list(evidence.no_motion())
    shown = pd.DataFrame({"way": [name_of(way) for way in table["way"]]})
    for peak in peaks:
        shown[f"error {peak:g}"] = table[f"error {peak:g}"]
    for peak in peaks:
        shown[f"strain {peak:g}"] = [
            notebook.Html(f"<span>{r:.2f}</span>") for r in table[f"strain {peak:g}"]
        ]
    shown["seconds"] = [notebook.Html(f"<span>{seconds:.2f}</span>") for seconds in table["seconds"]]
    nothing = ", ".join(f"{error:.3f} px at {peak:g} px" for peak, error in evidence.no_motion().items())
    return notebook.table(
        shown,
        f"Mean endpoint error (px) and correlation of strain with the true strain on {evidence.clips} simulated clips "
        "whose largest displacement is 0.3, 1 or 3 px, and CPU-seconds a clip.",
        evidence.provenance,
        columns={"way": "method"}
        | {f"error {peak:g}": f"error at {peak:g} px" for peak in peaks}
        | {f"strain {peak:g}": f"strain r at {peak:g} px" for peak in peaks}
        | {"seconds": "CPU-s"},
        note=f"Claiming no motion costs {nothing}. 'neighbours': the mean of up to {2 * NEIGHBOURS + 1} frames around "
        "onset and as many around apex.",
    )


def downstream(evidence: MotionEvidence) -> HTML:
    """The table of what a plain forest recognises from the motion of every way."""
    if evidence.downstream is None:
        return _missing("downstream")
    table = evidence.downstream_table()
    shown = pd.DataFrame(
        {
            "way": [name_of(way) for way in table["way"]],
            "macro": [notebook.with_interval(*value) for value in table["macro"]],
            "change": ["–" if one is None else notebook.with_interval(*one) for one in table["change"]],
            "seconds": [notebook.Html(f"<span>{seconds:.2f}</span>") for seconds in table["seconds"]],
        }
    )
    return notebook.table(
        shown,
        "Three-class macro F1 (LOSO) of a plain random forest on the optical flow image of each method.",
        evidence.provenance,
        columns={
            "way": "method",
            "macro": "macro F1",
            "change": f"difference to {name_of(REFERENCE)}",
            "seconds": "CPU-s a clip",
        },
        note="95 % intervals from resampling subjects; differences are paired. True flow: what the simulator knows.",
    )


def recorded(evidence: MotionEvidence) -> dict[str, str]:
    """Sentences about the recorded tables."""
    texts = {"goal_note": "", "downstream_note": "", "record_note": f"made by `{COMMAND}`"}
    texts |= {"neighbours": str(NEIGHBOURS), "most_frames": str(2 * NEIGHBOURS + 1)}
    if evidence.accuracy is not None:
        peaks = list(evidence.no_motion())
        shares = [
            [evidence.ratio(way, "deepflow", peak) for peak in peaks]
            for way in ("micro", "micro, neighbours")
        ]
        two, more = (
            ", ".join(f"{share:.2f} at {peak:g} px" for share, peak in zip(found, peaks, strict=True))
            for found in shares
        )
        aims = {
            f"{peak:g} px": share <= AIM for share, peak in zip(shares[1], peaks, strict=True) if peak <= 1
        }
        texts["goal_note"] = (
            f"As a share of DeepFlow's endpoint error from two frames, that of micro is {two} from two frames, and "
            f"{more} with neighbouring frames. The aim was {AIM:g} at {' and '.join(aims)} with neighbours: "
            f"{_reached(aims)}."
        )
    if evidence.downstream is not None:
        table = evidence.downstream_table()
        changed = [
            f"{name_of(row.way)} ({row.change.value:+.3f})"
            for row in table.itertuples()
            if row.change is not None and row.change.side
        ]
        texts["downstream_note"] = (
            f"Different from {name_of(REFERENCE)} beyond the interval: {', '.join(changed)}."
            if changed
            else f"No method differs from {name_of(REFERENCE)} by more than the interval allows for."
        )
        texts["downstream_note"] += _beside_truth(table)
    return texts


def _beside_truth(table: pd.DataFrame) -> str:
    """A sentence that compares methods with the true flow, where a method recognises more than that does."""
    macro = {row.way: row.macro for row in table.itertuples()}
    true = macro.pop(TRUE, None)
    above = [] if true is None else [name_of(way) for way, one in macro.items() if one.value > true.value]
    if not above:
        return ""
    return (
        f" The true flow itself reaches {true.value:.3f}, and {len(above)} of {len(macro)} methods lie above it "
        f"({'; '.join(above)}): nothing here says that a still more accurate flow would be recognised better."
    )


def _reached(aims: dict[str, bool]) -> str:
    """'reached', 'not reached', or where it was reached and where not."""
    if len(set(aims.values())) == 1:
        return "reached" if all(aims.values()) else "not reached"
    met, missed = (
        " and ".join(name for name, one in aims.items() if one is wanted) for wanted in (True, False)
    )
    return f"reached at {met}, not at {missed}"


def _missing(part: str) -> HTML:
    return HTML(
        f"<p class='note'>This table is not recorded yet: run <code>{COMMAND} --part {part}</code> in a checkout.</p>"
    )
