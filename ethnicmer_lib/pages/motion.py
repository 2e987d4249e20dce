"""The motion page: optical flow images of example clips, and the error of the flow against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from ethnicmer_lib import figures
from ethnicmer_lib.motion.evidence import MotionResult

METHODS = {"dis": "DIS", "farneback": "Farnebäck", "deepflow": "DeepFlow"}


def values(result: MotionResult) -> dict[str, Any]:
    """Figures and texts of the page."""
    method = METHODS[result.parameters.flow_method]
    rows, top = [], 0.5
    for example in result.examples:
        rows.append((f"{example.label}\ncomputed ({method})", example.computed))
        if example.true:
            rows.append((f"{example.label}\ntrue", example.true))
            top = max(top, float(np.percentile(np.abs(example.true["v"]), 99.5)))
        else:
            top = max(top, float(np.percentile(np.abs(example.computed["v"]), 99.5)))
    shown = {
        "method_name": f"{method}, from OpenCV",
        "panels": figures.motion_panels(rows, result.provenance, round(top, 1)),
    }
    if result.errors is None:
        note = "The true motion of these clips is not known, so no error can be given here."
        return shown | {
            "panels_note": "Red is to the right or downwards, blue to the left or upwards.",
            "error_note": note,
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
        "errors": figures.error_against_amplitude(errors, result.provenance),
    }
