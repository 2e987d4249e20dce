"""Pseudonyms: the same at every opening, whose secret stays in the workspace, and frames are found all the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ethnicmer_lib.annotate.annotation import write_annotation
from ethnicmer_lib.clips.labels import released_clips
from ethnicmer_lib.clips.pseudonyms import pseudonym, pseudonyms, secret
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.sources import open_clips

KEY = b"one secret"


def test_a_reader_of_the_tables_finds_no_name_and_the_frames_are_the_same(study, workspace):
    study.write()
    source = {"kind": "licensed", "casme2": study.casme2, "samm": study.samm, "publishable": ["SAMM/006"]}
    source["policies"] = {"missing_apex": "drop"}
    real, hidden, again = (
        open_clips(source | {"pseudonyms": wanted}, progress=False) for wanted in (False, True, True)
    )
    assert hidden.table.equals(again.table)
    assert hidden.provenance == again.provenance
    assert hidden.provenance.fingerprint != real.provenance.fingerprint
    told = hidden.table.to_csv() + hidden.decisions.to_csv()
    names = {*real.table["subject"], *real.table["clip"], "006", "007"} - {""}
    assert not [name for name in names if f"/{name}" in told or f",{name}," in told]
    same = ["database", "label", "group", "onset", "apex", "offset", "action_units"]
    assert hidden.table[same].equals(real.table[same])
    assert (hidden.table.groupby("subject").ngroup().nunique(), len(hidden)) == (4, 4)
    for other, own in zip(hidden.table["clip_id"], real.table["clip_id"], strict=True):
        assert hidden.own_name(other) == own
        assert np.array_equal(hidden.frames(other, "apex"), real.frames(own, "apex"))
        assert hidden.may_show(other) == real.may_show(own) == own.startswith("SAMM/006/")
        assert hidden.frames(other, "onset").origin == own  # of use to the reader alone, in a refusal
        assert hidden.neighbours(other, "onset").steps == real.neighbours(own, "onset").steps
    key = workspace / "pseudonyms.key"
    assert key.stat().st_mode & 0o077 == 0
    key.write_bytes(b"")  # as a power cut leaves it
    assert len(secret()) == 32
    assert not open_clips(source | {"pseudonyms": True}, progress=False).table.equals(hidden.table)
    with pytest.raises(StudyError, match="annotate without -p source"):
        write_annotation(hidden, study.root / "none", {}, study.root / "records.csv")


def test_no_two_of_the_real_clips_share_a_pseudonym_and_subjects_keep_their_clips():
    clips = released_clips()
    hidden = pseudonyms(clips, KEY)
    assert hidden["clip_id"].is_unique
    assert (
        hidden.groupby("subject").size().sort_values().tolist()
        == clips.groupby("subject").size().sort_values().tolist()
    )
    assert hidden["clip_id"].str.match(r"(CASME II|SAMM)/s-[0-9a-f]{10}/c-[0-9a-f]{10}$").all()
    assert pseudonym("SAMM/006", KEY) == pseudonym("SAMM/006/006_1_2", KEY).rpartition("/")[0]
    assert pseudonym("SAMM", KEY) == "SAMM"
    assert pseudonym("SAMM/006", KEY) != pseudonym("SAMM/006", b"another")


@given(st.text("ab/", max_size=6))
def test_any_name_has_one(name):
    assert pseudonym(name, KEY).count("/") == min(name.count("/"), 2)
