"""SIGKILL at random moments, ten times, then the same command again: the bytes of a run that nobody touched."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import toy

SUBJECTS = 24
KILLS = 10


def whole_run(workspace: str) -> None:
    """Leave one subject out, 24 folds; in a process of its own."""
    from ethnicmer_lib.design import backbones
    from ethnicmer_lib.networks import Recipe, models, train_and_predict

    os.environ["ETHNICMER_WORKSPACE"] = workspace
    os.environ["ETHNICMER_ENGINE"] = "serial"
    backbones.resnet18_backbone = models.resnet18_backbone = lambda *_, **__: toy.tiny_backbone()
    clips = pd.concat([toy.clips(2)] * (SUBJECTS // 4), ignore_index=True)
    clips["subject"] = np.repeat([f"s{i:02d}" for i in range(SUBJECTS)], 2)
    clips["clip_id"] = [f"c{i}" for i in range(len(clips))]
    subjects = clips["subject"].to_numpy()
    folds = [(np.flatnonzero(subjects != s), np.flatnonzero(subjects == s)) for s in np.unique(subjects)]
    recipe = Recipe(epochs=2, batch_size=16)
    train_and_predict(["dual_motion"], toy.images(n=len(clips)), None, clips, folds, recipe, progress=False)


def finished(workspace: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in workspace.glob("runs/*/*.parquet")
        if not path.name.startswith(".")  # a file that was being written when the process was killed
    }


def test_ten_kills_change_no_byte(tmp_path):
    # A server that has imported torch once and has no threads: each run is a fork of it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ethnicmer_lib.networks.folds"])

    def start(workspace: Path):
        process = context.Process(target=whole_run, args=(str(workspace),))
        process.start()
        return process

    whole = tmp_path / "whole"
    begun = time.perf_counter()
    untouched = start(whole)
    while not finished(whole):
        time.sleep(0.002)
    first = time.perf_counter()
    untouched.join()
    assert untouched.exitcode == 0
    a_fold = (time.perf_counter() - first) / SUBJECTS
    print(f"first fold after {first - begun:.1f} s, then {1000 * a_fold:.0f} ms a fold")

    killed = tmp_path / "killed"
    rng = np.random.default_rng(7)
    counts = []
    for kill in range(KILLS):
        process = start(killed)
        # Half of the kills at the very start or before a new fold is finished, half some folds later.
        aim = len(finished(killed)) + (kill % 2) * int(rng.integers(1, 4))
        while len(finished(killed)) < aim and process.is_alive():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 2 * a_fold))
        process.kill()
        process.join()
        assert process.exitcode == -9, "the run had ended before it was killed"
        counts.append(len(finished(killed)))
    assert counts == sorted(counts), "a finished fold was lost"
    assert 0 < counts[-1] < SUBJECTS, counts
    last = start(killed)
    last.join()
    assert last.exitcode == 0
    assert len(finished(whole)) == SUBJECTS
    assert finished(killed) == finished(whole)
