"""Table V's recording: one fold of it is trained again, and more runs are added to those that are recorded."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ethnicmer_lib.design import subject_folds
from ethnicmer_lib.evidence import table_v
from ethnicmer_lib.motion.extract import motion_images
from ethnicmer_lib.networks import Recipe
from ethnicmer_lib.networks.fold_task import Training, computed
from ethnicmer_lib.networks.folds import planned
from ethnicmer_lib.networks.switches import AS_DESCRIBED
from ethnicmer_lib.sources import open_clips
from ethnicmer_lib.store import Recording, recording


def test_a_recorded_fold_is_what_training_gives_today(shared):
    real, clips = recording("table_v"), open_clips({"kind": "flow", "folder": str(shared / "flow_features")})
    known = real.parameters
    recipe = Recipe(**{name: known["recipe"][name] for name in Recipe.__dataclass_fields__})
    images = motion_images(clips, size=known["image_size"], progress=False)
    splits = subject_folds(clips.table, known["folds"], seed=known["seed"])
    number = next(i for i, (_, test) in enumerate(splits) if 5 <= len(test) <= 10)
    about = (images, None, clips, splits, recipe, [known["seed"]], known["weights"])
    data, _, tasks = planned([("resnet18", AS_DESCRIBED)], *about)
    found = computed(Training((tasks[number],)), data).tables[0].set_index("clip_id")
    kept = real.predictions.query("arm == 'resnet18' and seed == @known['seed'] and fold == @number")
    kept = kept.set_index("clip_id").loc[found.index]
    chances = [column for column in found if column.startswith("p_")]
    # Equal on the machine that recorded it. Where sums are made in another order, weights end slightly elsewhere.
    assert np.abs(found[chances] - kept[chances]).to_numpy().mean() < 0.05
    assert (found["predicted"] == kept["predicted"]).mean() >= 0.8


def test_more_runs_are_added_to_those_recorded(monkeypatch):
    table = pd.DataFrame({"clip_id": ["1", "2"], "subject": ["s", "t"], "label": ["Negative", "Positive"]})
    clips = SimpleNamespace(table=table, provenance="these clips", has_frames=False)
    trained, written = [], {}

    def train(arms, *about, seeds, **more):
        trained.append((*arms, *seeds))
        return pd.concat([table.assign(arm=arm, seed=seed) for arm in arms for seed in seeds])

    def keep(name, tables, provenance, command, parameters, **more):
        parts = {part: {"parameters": parameters} for part in tables}
        written["now"] = Recording(name, provenance, parts, command, parameters, {})
        monkeypatch.setattr(Recording, "table", lambda _, part: tables[part])

    def baseline(*about):
        return table.assign(arm="forest", seed=0)

    for name, stub in {
        "train_and_predict": train,
        "record": keep,
        "recording": lambda name: written["now"],
        "motion_images": lambda *about: None,
        "subject_folds": lambda *about, **more: [],
        "forest_baseline": baseline,
        "majority_rule": baseline,
    }.items():
        monkeypatch.setattr(table_v, name, stub)
    asked = {"arms": ["resnet18", "dual_motion"], "image_size": 28}
    both = ("resnet18", "dual_motion")
    for more, expected in (
        ({"n_seeds": 2}, [(*both, 0), (*both, 1)]),
        ({"n_seeds": 3}, [(*both, 2)]),
        ({"n_seeds": 2}, []),
        ({"n_seeds": 2, "arms": [*both, "shared"]}, [("shared", 0), ("shared", 1)]),
        ({"n_seeds": 1, "recipe": Recipe(epochs=3)}, [(*both, 0)]),
    ):
        trained.clear()
        table_v.record_table_v(clips, "typed", **(asked | more))
        assert trained == expected
        networks = written["now"].predictions.query("arm not in ['forest', 'majority']")
        assert not networks.duplicated(["arm", "seed", "clip_id"]).any()
        assert set(networks["arm"]) == set(more.get("arms", both))
        assert set(networks["seed"]) == set(range(more["n_seeds"]))
