"""The same bytes on another day: more threads, another time zone and language, blanks and umlauts in the path.

Whole chapters are compared so by ``tools/same_numbers.py``, which takes too long for a test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from checkout import ROOT

#: Motion of two frames by four methods, scenarios drawn from it with both classifiers, and what is said of them.
STUDY = """\
import sys
sys.path.insert(0, "tests")
import numpy as np
import ethnicmer_lib as em
from fake_cohort import FakeClips
from ethnicmer_lib.store import Run
frames = np.kron(np.random.default_rng(0).integers(40, 210, (2, 12, 11)), np.ones((6, 6))).astype(np.uint8)
run = Run.open("motion", code=("motion",), inputs={})
for method in ("micro", "dis", "farneback", "tvl1"):
    run.write(method, em.flow_image(em.optical_flow(frames[0], frames[0][:, ::-1] // 2 + frames[1] // 2, method)))
clips = FakeClips(subjects=6, signal=1.0)
x = em.features(clips.images, "flow")
for classifier in ("svc", "forest"):
    found = em.repeat_scenarios(x, clips.table, 4, 2, classifier=classifier, progress=False)
    found = found[found["draw"] == 0]
    said = em.scores(found), em.scores(found, interval=True).astype(str)
    run.write(classifier, said[0].join(said[1], rsuffix="_interval").reset_index())
"""
ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
OTHER = dict.fromkeys(ONE, "2") | {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "tr_TR.UTF-8"}


def kept(folder: Path, environment: dict[str, str]) -> dict[str, bytes]:
    """Every table and array of the study, made in a folder."""
    given = os.environ | environment | {"ETHNICMER_WORKSPACE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", STUDY], cwd=ROOT, env=given, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stderr
    files = [path for suffix in ("npy", "parquet") for path in folder.glob(f"runs/*/*.{suffix}")]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}


def test_everything_else_may_differ_and_the_bytes_do_not(tmp_path):
    first, found = kept(tmp_path / "here", ONE), kept(tmp_path / "Ärger mit Ümläuten", OTHER)
    assert len(first) == 11
    assert [one for one in {*first, *found} if first.get(one) != found.get(one)] == []
