"""One quantity, several numbers: the protocols under which pages show it, each number computed as its page does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.design.scenarios import MIXED
from ethnicmer_lib.design.studies import middle_table, studies_table
from ethnicmer_lib.evidence.traps import HONEST, traps_table
from ethnicmer_lib.networks.arms import ARMS, VARIANTS
from ethnicmer_lib.networks.probes import group_accuracy
from ethnicmer_lib.networks.table_v import contrasts
from ethnicmer_lib.paper.counted import group_rules
from ethnicmer_lib.paper.judging import printed_effect
from ethnicmer_lib.paper.released import from_labels
from ethnicmer_lib.stats import MACRO, Estimate, scores, single_runs
from ethnicmer_lib.stats.draws import one_more
from ethnicmer_lib.store import Recording, recording

#: Quantity -> the places that show a number of it, the one to quote first.
PLACES = yaml.safe_load(resources.files(__package__).joinpath("one_quantity.yml").read_text(encoding="utf-8"))
_ONE = "one a subject"
#: Measure of a place -> its number, from the rows that are asked of a recorded table, their arms or study, the clips
#: that say which group is usual in a database, and the seed of the resamples.
MEASURES: dict[str, Callable[[Any, Sequence[str], Any, int], Estimate | float]] = {
    "macro": lambda rows, arms, clips, seed: scores(rows, interval=True, seed=seed)[MACRO][arms[0]],
    "single_runs": lambda rows, arms, clips, seed: single_runs(rows)[MACRO][arms[0]],
    "single_pairs": lambda rows, arms, clips, seed: _single_pairs(rows, *arms),
    "minus": lambda rows, arms, clips, seed: contrasts(rows, seed)["difference"].iloc[0],
    "honest": lambda rows, arms, clips, seed: float(traps_table(rows, seed)[HONEST].iloc[0]),
    "gap": lambda rows, arms, clips, seed: studies_table(rows, seed)["difference"].iloc[0],
    "median": lambda rows, arms, clips, seed: float(studies_table(rows, seed)[f"median {MIXED}"].iloc[0]),
    "mixed": lambda rows, arms, clips, seed: middle_table(rows)[MACRO][MIXED],
    "rule_of_draws": lambda rows, arms, clips, seed: middle_table(rows)["majority"][MIXED],
    "told": lambda rows, arms, clips, seed: group_accuracy(rows, clips, seed)["database_rule"].iloc[0],
    "told_of_coded": lambda rows, arms, clips, seed: float(group_rules(clips)[0]),
    "coded": lambda rows, arms, clips, seed: len(clips),
    "recorded": lambda rows, arms, clips, seed: rows["clip_id"].nunique(),
    "gap_printed": lambda rows, arms, clips, seed: printed_effect("prima_facie", "mixed_drop"),
    "by_labels": lambda rows, arms, clips, seed: float(from_labels()[MACRO][MIXED]),
}


def shown_twice(seed: int = 0) -> pd.DataFrame:
    """Quantities that pages show under several protocols: one row a number, the one to quote first.

    Columns: quantity; page (a file of ``book/``) and section (a heading there); number, an Estimate or a float: macro
    F1, a difference of it, a share or a count; over, what its interval is of; clips, folds, repeated (training runs or
    draws of subjects), epochs, size (px) and flow; why, a sentence.  What does not apply is missing.  ``seed`` is that
    of the resamples, as on the pages.  StudyError for a recording that is not there.
    """
    rows = [
        {"quantity": quantity} | place | _measured(place, seed)
        for quantity, places in PLACES.items()
        for place in places
    ]
    made = ["number", "over", "clips", "folds", "repeated", "epochs", "size", "flow"]
    found = pd.DataFrame(rows)[["quantity", "page", "section", *made, "why"]]
    return found.astype({"epochs": "Int64", "size": "Int64"})


def _measured(place: dict[str, Any], seed: int) -> dict[str, Any]:
    """The number of a place, and how the recording was made that it is of."""
    measure, known = MEASURES[place["number"]], place.get("made", {})
    if "of" not in place:
        coded = released_clips()
        return {"number": measure(None, (), coded, seed), "clips": f"{len(coded)} real"} | known
    name, part, *arms = place["of"]
    of = recording(name)
    rows = of.table(part)
    by = "study" if "study" in rows else "arm"
    rows = rows[rows[by].isin(arms)] if arms else rows
    number = measure(rows, arms, rows if of.provenance.simulated else released_clips(), seed)
    made = _made(of, part, rows, arms) | known
    return {"number": number} | (made if isinstance(number, Estimate) else made | {"over": None})


def _made(of: Recording, part: str, rows: pd.DataFrame, arms: Sequence[str]) -> dict[str, Any]:
    """How recorded rows were made, as far as the recording says it."""
    told, simulated = of.parts[part]["parameters"], of.provenance.simulated
    made = {"clips": f"{rows['clip_id'].nunique()} {'SIMULATED' if simulated else 'real'}"}
    made["flow"] = told.get("flow_method") if simulated else "published"
    if "draw" in rows:
        return made | {
            "repeated": f"{rows['draw'].nunique()} draws",
            "over": "subjects, draws",
            "folds": _ONE,
            "size": told["image_size"] if "ResNet-18" in arms[0] else None,
        }
    runs = rows["seed"].nunique() if "seed" in rows else 1
    several = {"repeated": f"{runs} runs", "over": "subjects, runs"}
    made |= several if runs > 1 else {"repeated": "1 run", "over": "subjects"}
    trained = "sizes" in told or any(ARMS[arm].variant in VARIANTS for arm in arms if arm in ARMS)
    made["epochs"] = told["recipe"]["epochs"] if trained else None
    made["folds"] = _ONE if told.get("folds") == "loso" else told.get("folds")
    made["size"] = int(arms[0]) if "sizes" in told else told.get("image_size", told.get("size"))
    return made


def _single_pairs(rows: pd.DataFrame, one: str, other: str) -> Estimate:
    by_run = scores(rows, ["arm", "seed"])[MACRO]
    return one_more(by_run[one] - by_run[other])
