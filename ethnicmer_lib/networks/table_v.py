"""Table V in words: where a run leaves the paper's protocol, and what its claims are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from ethnicmer_lib.networks.arms import ARMS, VARIANTS, compared
from ethnicmer_lib.networks.probes import group_accuracy, learnt
from ethnicmer_lib.networks.recipe import AS_PRINTED
from ethnicmer_lib.networks.switches import AS_DESCRIBED, Switches
from ethnicmer_lib.stats import MACRO, Estimate, difference, holm, scores
from ethnicmer_lib.stats.draws import one_more

#: Key of a claim in ``paper/claims.yml`` -> the variants, or control arms, whose macro F1 it compares.
COMPARED = {
    "motion_context": ("dual_motion", "resnet18"),
    "rgb_resnet": ("dual_rgb", "resnet18"),
    "tinyvit_gain": ("tinyvit", "resnet18"),
    "rgb_tinyvit": ("tinyvit", "dual_motion"),
}
CONTROLS = {
    "taught_group": ("dual", "plain"),
    "not_taught": ("no_ethnic_loss", "dual"),
    "wrong_groups": ("shuffled", "dual"),
    "taught_database": ("database", "dual"),
}
RELEASED = {"released_branch": ("dual_released", "plain_released")}
BRANCHES = {"dual_motion": "motion_branch", "dual_rgb": "rgb_barely", "tinyvit": "local_texture"}
#: Input of a run -> what it is in the paper or, where that is silent, in the release; and who says so.
INPUTS = {
    "weights": ("imagenet", "paper: fine-tuned; release: imagenet"),
    "image_size": (224, "release: 224"),
    "flow_method": ("classic_nl_fast", "paper: classic_nl_fast"),
    "scaling": ("none", "paper: Eq. 7, no scaling named; release: as_released"),
}


def departures(
    folds: str | int, recipe: Mapping[str, Any], switches: Switches = AS_DESCRIBED, **inputs: Any
) -> list[str]:
    """Where folds, recipe, switches and inputs leave the paper's protocol, as 'epochs=6 (paper: 15)'.

    Of a recorded ``recipe`` the entries count that a recipe has today.  ``inputs`` are the names of :data:`INPUTS`, and
    ``variants``, the networks; what is None or absent was not told.

    Examples
    --------
    >>> departures("loso", {"epochs": 6, "batch_size": 32}, image_size=56)
    ['epochs=6 (paper: 15)', 'image_size=56 (release: 224)']
    """
    pairs = {"folds": (folds, "loso")}
    for ours, paper in ((recipe, asdict(AS_PRINTED)), (asdict(switches), asdict(AS_DESCRIBED))):
        pairs |= {name: (ours[name], paper[name]) for name in paper if name in ours}
    left = [f"{name}={ours} (paper: {paper})" for name, (ours, paper) in pairs.items() if ours != paper]
    for name, (value, who) in INPUTS.items():
        left += [f"{name}={inputs[name]} ({who})"] if inputs.get(name) not in (None, value) else []
    return left + (["TinyViT=5M (release: 21M)"] if "tinyvit" in (inputs.get("variants") or ()) else [])


def told(
    run: Mapping[str, Any], predictions: pd.DataFrame, published: bool = True
) -> tuple[list[str], dict[str, Any]]:
    """What ``paper.judge`` is told of a run: where it leaves the paper's protocol, and the names of its words.

    ``run`` are the parameters, of a recording or of the chapter; ``published``, that the flow was computed by others.
    """
    inputs = {
        name: "published" if published and name in ("flow_method", "scaling") else run[name]
        for name in INPUTS
    }
    recipe, switches = (
        one if isinstance(one, Mapping) else asdict(one) for one in (run["recipe"], run["switches"])
    )
    kept = {name: switches[name] for name in asdict(AS_DESCRIBED) if name in switches}
    left = departures(run["folds"], recipe, Switches(**kept), **inputs, variants=set(predictions["arm"]))
    words = {"clips": predictions["clip_id"].nunique(), "seeds": run["n_seeds"]}
    return left, words | {name: run[name] for name in ("weights", "image_size")}


def claims(
    predictions: pd.DataFrame, table: pd.DataFrame, missing: Mapping[str, str] | None = None, seed: int = 0
) -> dict[str, Any]:
    """What Section IV-B's claims are judged by, by key: differences of macro F1, and what each ethnic branch tells.

    ``predictions`` are of variants and baselines; ``missing`` says why variants could not be trained.
    """
    found: dict[str, Any] = {}
    by_pair = _by_pair(predictions, seed)
    for key, pair in COMPARED.items():
        absent = [name for name in pair if name not in set(predictions["arm"])]
        other = "a network of this comparison is not among the variants of this run"
        why = [(missing or {}).get(name, other) for name in absent]
        found[key] = why[0] if why else by_pair[pair]
    if {*COMPARED["motion_context"]} <= set(predictions["arm"]):
        macro = scores(predictions, ["arm", "seed"])[MACRO]
        gain = macro[COMPARED["motion_context"][0]] - macro[COMPARED["motion_context"][1]]
        found["gain_size"] = one_more(gain)
    branches = group_accuracy(predictions, table, seed=seed).set_index("arm")
    for arm, row in branches[branches.index.isin(list(BRANCHES))].iterrows():
        words = {"accuracy": row["accuracy"], "database_rule": row["database_rule"].value}
        found[BRANCHES[arm]] = (row["difference"], words)
    if ("majority", "resnet18") in by_pair:
        majority, words = by_pair["majority", "resnet18"]
        found["baseline_significant"] = (majority, words | {"forest": by_pair["forest", "resnet18"][0]})
    return found


def contrasts(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Macro F1 of every arm minus those it is compared with (``arms.yml``), as of :func:`stats.difference`, and the
    swap test's p-value adjusted for all of them: one family, on the page and in the claims that rest on its rows.

    Two networks are compared in the runs that both have.
    """
    pairs = compared(predictions["arm"].unique())
    rows = [difference(_shared_runs(predictions, pair), [pair], seed=seed) for pair in pairs]
    return holm(pd.concat(rows or [difference(predictions, [])], ignore_index=True))


def _shared_runs(predictions: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    """The predictions of two arms in the seeds that both have; one run of a method without chance stands for any."""
    both = predictions[predictions["arm"].isin(pair)]
    seeds = both.groupby("arm")["seed"].agg(set)
    if any(len(seeds.get(arm, ())) == 1 and ARMS[arm].variant not in VARIANTS for arm in pair):
        return both
    return both[both["seed"].isin(set.intersection(*seeds))] if len(seeds) == 2 else both[:0]


def _by_pair(predictions: pd.DataFrame, seed: int) -> dict[tuple[str, str], tuple[Estimate, dict[str, Any]]]:
    """:func:`contrasts` by the pair, with the names that the words of a claim use."""
    rows = contrasts(predictions, seed)
    return {
        (r.a, r.b): (r.difference, {"p_holm": r.p_holm, "family": len(rows), "seeds": r.runs})
        for r in rows.itertuples()
    }


def _by_key(predictions: pd.DataFrame, pairs: Mapping[str, tuple[str, str]], seed: int) -> dict[str, Any]:
    """The same by the key of a claim, of pairs that are all there."""
    by_pair = _by_pair(predictions, seed)
    return {key: by_pair[pair] for key, pair in pairs.items()}


def released_claims(released: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """The same for the arms that are as released."""
    return _by_key(released, RELEASED, seed)


def control_claims(controls: pd.DataFrame, seed: int = 0) -> dict[str, Any]:
    """The same for the controls, and what a probe of the ethnic branch reads off within one database."""
    found = _by_key(controls, CONTROLS, seed)
    asked = learnt(controls, seed=seed).set_index(["arm", "reader", "target", "where"])
    both = controls.groupby("database")["group"].nunique()
    within = asked["balanced_accuracy"]["dual", "ethnic", "group", "within"]
    return found | {"branch_within": (within, {"databases": ", ".join(both.index[both > 1])})}
