"""`ethnicmer data annotate` from folders to files, with the real network on weights drawn by a rule."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import licensed_copy
import numpy as np
import openpyxl
import pandas as pd
import pytest

from ethnicmer_lib.annotate.facexformer.checkpoint import sha256
from ethnicmer_lib.publish import cli

HEADER = [
    "Subject",
    "Filename",
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    "Action Units",
    "Estimated Emotion",
]
CLIPS = [(1, "EP02_01f", "happiness"), (2, "EP01_11f", "repression")]


@pytest.fixture
def casme2(tmp_path):
    """Two clips of CASME II's layout whose cropped frames are noise."""
    root = tmp_path / "mine" / "CASME2"
    root.mkdir(parents=True)
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    rng = np.random.default_rng(3)
    for subject, clip, emotion in CLIPS:
        book.active.append([subject, clip, 1, 2, 3, "12", emotion])
        folder = root / "Cropped" / f"sub{subject:02d}" / clip
        folder.mkdir(parents=True)
        for frame in (1, 2, 3):
            noise = cv2.resize(rng.integers(0, 255, (17, 14, 3), np.uint8), (280, 340))
            assert cv2.imwrite(str(folder / f"reg_img{frame}.jpg"), noise)
    book.save(root / "CASME2-coding-20140508.xlsx")
    return root


def annotate(monkeypatch, *options: object) -> None:
    monkeypatch.setattr(sys, "argv", ["ethnicmer", "data", "annotate", *map(str, options)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)


def failing(monkeypatch, capsys, *options: object) -> str:
    monkeypatch.setattr(sys, "argv", ["ethnicmer", "data", "annotate", *map(str, options)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_folders_become_records_and_a_second_run_computes_nothing(
    casme2, checkpoint, tmp_path, workspace, monkeypatch, capsys
):
    out = tmp_path / "records.csv"
    options = ("--data", "licensed", "--casme2", casme2, "--checkpoint", checkpoint, "--out", out)
    annotate(monkeypatch, *options)
    assert f"{out}: 2 clips, 0 without a face" in capsys.readouterr().out
    records = pd.read_csv(out, dtype={"subject": str})
    assert records["subject"].tolist() == ["sub01", "sub02"]
    assert records["frame"].tolist() == [1, 1]
    assert not records["simulated"].any()
    assert np.allclose(
        records.filter(regex="^p_(White|Black|Asian|Indian|Others)$").sum(axis=1), 1, atol=1e-5
    )
    about = json.loads(Path(f"{out}.json").read_text())
    assert about["checkpoint_sha256"] == sha256(checkpoint)
    assert about["detectors"]["CASME II"] == ["whole", ""]
    first = out.read_bytes()
    monkeypatch.setattr("ethnicmer_lib.annotate.facexformer.checkpoint.load", None)
    annotate(monkeypatch, *options)
    assert out.read_bytes() == first


def test_simulated_faces_are_annotated_with_a_warning_and_give_no_groups(
    casme2, checkpoint, tmp_path, workspace, monkeypatch, capsys
):
    (casme2.parent / "SIMULATED.json").write_text(
        json.dumps({"settings": {"seed": 7}, "fingerprint": "0" * 16})
    )
    lines = ["database,subject,clip,ethnicity,group"]
    lines += [f"CASME2,{s},{c},{g},{g}" for (s, c, _), g in zip(CLIPS, "AB", strict=True)]
    (casme2.parent / "groups.csv").write_text("\n".join(lines))
    licensed_copy.seal(casme2.parent)
    out = tmp_path / "records.parquet"
    options = ("--data", "licensed", "--casme2", casme2, "--checkpoint", checkpoint, "--out", out)
    annotate(monkeypatch, *options)
    assert "SIMULATED faces: labels mean nothing" in capsys.readouterr().out
    records = pd.read_parquet(out)
    assert records["simulated"].all()
    assert records["frame"].tolist() == [1, 1]
    said = failing(monkeypatch, capsys, *options, "--groups", tmp_path / "groups.csv")
    assert "simulated faces, whose groups are abstract" in said


def test_mistakes_are_one_line(casme2, checkpoint, tmp_path, workspace, monkeypatch, capsys):
    options = ("--data", "licensed", "--casme2", casme2, "--checkpoint", tmp_path / "none.pt")
    assert "no checkpoint at" in failing(monkeypatch, capsys, *options, "--out", tmp_path / "a.csv")
    assert "kept as .csv or .parquet" in failing(monkeypatch, capsys, *options, "--out", tmp_path / "a.xlsx")
    said = failing(monkeypatch, capsys, *options, "--out", tmp_path / "a.csv", "--casme2-faces", "yunet")
    assert "'yunet': no model file was given" in said
    assert said.count("\n") == 1


def test_groups_and_the_log_of_their_screening_are_written(
    casme2, checkpoint, tmp_path, workspace, monkeypatch, capsys
):
    from ethnicmer_lib.annotate import annotation

    def annotated(cohort, *args, **kwargs):
        keys = cohort.table[["database", "subject", "clip"]]
        return keys.assign(
            simulated=False,
            failed=False,
            race_code=[0, 2],
            ethnicity=["White", "Asian"],
            gender=["male", "female"],
        )

    monkeypatch.setattr(annotation, "annotate", annotated)
    groups = tmp_path / "groups.csv"
    out = tmp_path / "records.csv"
    options = ("--data", "licensed", "--casme2", casme2, "--checkpoint", checkpoint, "--out", out)
    annotate(monkeypatch, *options, "--groups", groups, "--context", "gender")
    assert pd.read_csv(groups)["group"].tolist() == ["Male", "Female"]
    assert pd.read_csv(f"{groups}.log.csv").empty
