"""Nothing that can change a prediction ever meets a fold that was computed without it."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.published import CODES, IMAGES, TABLE
from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.networks import benchmark, engine
from ethnicmer_lib.networks.fold_task import Done
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.store import old_runs as runs


@pytest.fixture
def flow_dir(tmp_path):
    """Real clips of eight subjects in the layout of the published features."""
    folder = tmp_path / "flow"
    (folder / IMAGES).mkdir(parents=True)
    clips = released_clips()
    samm = clips[clips["database"] == "SAMM"]
    chosen = [
        *sorted(samm["subject"].unique())[:7],
        "018",
    ]  # whose ethnicity the annotation and the mapping differ on
    clips = samm[samm["subject"].isin(chosen)]
    codes = {label: code for code, label in CODES.items()}
    lines = ["dataset,sub,filename_o,label,apex,imagename,sub_filename"]
    for row in clips.itertuples():
        lines.append(f"samm,{row.subject},{row.clip},{codes[row.label]},,,")
        image = np.full((28, 28, 3), 128, np.uint8)
        assert cv2.imwrite(str(folder / IMAGES / f"{row.subject}_{row.clip}.png"), image)
    (folder / TABLE).write_text("\n".join(lines))
    return folder


@pytest.fixture
def study(workspace, flow_dir, monkeypatch):
    """compute(): Table V of plain ResNet-18 with folds that cost nothing; how many were computed anew."""
    trained = []

    def fake(task, data, on_epoch=None):
        trained.append(task.name)
        rows = data.clips.iloc[task.fold[1]].reset_index(drop=True)
        table = rows[["clip_id", "subject", "database", "label", "group"]].assign(
            arm=task.variant, variant=task.variant, seed=task.settings.seed, fold=task.number
        )
        table = table.assign(predicted=LABELS[0], predicted_group="", taught="")
        return Done(task, table, 0.1)

    def compute(**changes) -> int:
        before = len(trained)
        basis = {"data": "flow", "flow_dir": flow_dir, "variants": ("resnet18",), "n_trees": 2}
        benchmark.compute(Benchmark.check(basis | {"image_size": 28} | changes))
        return len(trained) - before

    monkeypatch.setenv("ETHNICMER_ENGINE", "serial")
    monkeypatch.setattr(engine, "timed", fake)
    return compute


ALL = 8  # folds


def test_nothing_changed_nothing_trained(study):
    assert study() == ALL
    assert study() == 0
    assert study(n_trees=3) == 0, "the forest's parameters are none of the network's"


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 14},
        {"image_size": 29},
        {"batch_size": 31},
        {"learning_rate": 2e-3},
        {"gamma": 0.8},
        {"ethnic_mapping": "flip_018"},
        {"context": "shuffled"},
        {"ethnic_loss": False},
        {"shared_backbone": True},
        {"test_batch_norm": "batch"},
        {"weights_saved": "after_test"},
        {"standardise": "imagenet"},
        {"precision": "bfloat16"},
        {"compiled": True},
    ],
    ids=str,
)
def test_a_changed_parameter_trains_every_fold_anew(study, change):
    assert study() == ALL
    assert study(**change) == ALL
    assert study() == 0, "and the first run is still there"


def test_another_seed_is_another_fold_and_more_of_them_keep_those_there(study):
    assert study() == ALL
    assert study(n_seeds=2) == ALL


def test_changed_weights_train_every_fold_anew(study, tmp_path):
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"1")
    assert study(weights=str(weights)) == ALL
    assert study(weights=str(weights)) == 0
    weights.write_bytes(b"2")
    assert study(weights=str(weights)) == ALL


def test_one_pixel_of_one_file_trains_every_fold_anew(study, flow_dir):
    assert study() == ALL
    path = min((flow_dir / IMAGES).iterdir())
    image = cv2.imread(str(path))
    image[3, 4, 1] += 1
    assert cv2.imwrite(str(path), image)
    assert study() == ALL


def test_one_clip_less_trains_every_fold_anew(study, flow_dir):
    assert study() == ALL
    lines = (flow_dir / TABLE).read_text().splitlines()
    (flow_dir / TABLE).write_text("\n".join(lines[:-1]))
    assert study() in (ALL, ALL - 1)


def test_another_library_version_trains_every_fold_anew(study, monkeypatch):
    assert study() == ALL
    runs.code_fingerprint.cache_clear()
    monkeypatch.setattr("ethnicmer_lib.__version__", "99.0")
    try:
        assert study() == ALL
    finally:
        monkeypatch.undo()
        runs.code_fingerprint.cache_clear()


@pytest.mark.parametrize(
    "name",
    ["ethnicmer_lib.networks.training", "ethnicmer_lib.networks.models", "ethnicmer_lib.networks.switches"],
)
def test_the_code_that_trains_is_in_the_key_and_the_code_that_spreads_the_work_is_not(name):
    reached, queue = set(), ["ethnicmer_lib.networks.fold_task"]
    while queue:
        module = queue.pop()
        if module not in reached:
            reached.add(module)
            queue += runs._imports(module)
    assert name in reached
    assert not reached & {f"ethnicmer_lib.{name}" for name in ("engine", "executors", "executor_dask")}


def test_a_table_of_another_run_is_computed_again(study, workspace):
    study()
    study(epochs=14)
    first, second = sorted(workspace.glob("runs/benchmark-*"))
    for name in ("resnet18-seed0.parquet", "resnet18-seed0-fold003.parquet"):
        (second / name).write_bytes((first / name).read_bytes())
    with pytest.warns(UserWarning, match="of another run"):
        assert study() + study(epochs=14) == 1
    tables = [pd.read_parquet(path) for path in workspace.glob("runs/benchmark-*/resnet18-seed0.parquet")]
    assert len(tables) == 2
