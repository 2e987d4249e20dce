"""What notebooks show: numbers, tables and findings as HTML."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from myst_nb.core.variables import format_plain_text

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.paper.findings import Finding
from ethnicmer_lib.show import tables as notebook
from ethnicmer_lib.stats.intervals import Estimate

REAL = Provenance("real <clips>", False, "0")
SIMULATED = Provenance("rendered clips", True, "1")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.123"), (3, "3"), (None, "–"), (float("nan"), "–"), (pd.NA, "–"), ("x", "x")],
)
def test_numbers_are_shown_as_a_reader_expects(value, shown):
    assert notebook.number(value) == shown


def test_an_interval_is_small_print_and_missing_ends_leave_the_value():
    assert notebook.with_interval(0.5, 0.25, 0.75, 2) == "0.50 <span class='interval'>[0.25, 0.75]</span>"
    assert notebook.with_interval(0.5, float("nan"), float("nan")) == "0.500"
    assert notebook.with_interval(float("nan"), 0, 1) == "–"


def test_a_table_names_its_source_and_says_when_it_is_simulated():
    rows = pd.DataFrame({"who": ["a<b"], "f1": [0.5]})
    real = notebook.table(rows, "Scores.", REAL).data
    assert "real &lt;clips&gt;" in real
    assert "a&lt;b" in real
    assert "SIMULATED" not in real
    assert "SIMULATED" in notebook.table(rows, "Scores.", SIMULATED).data


def test_no_p_value_is_zero():
    rows = pd.DataFrame({"p": [0.0004, 0.25], "p_holm": [0.0008, float("nan")], "power": [0.0, 0.0]})
    shown = notebook.table(rows, "Tests.").data
    assert "<td class=num>&lt; 0.001</td><td class=num>0.001</td><td class=num>0.000</td>" in shown
    assert "<td class=num>0.250</td><td class=num>–</td>" in shown
    assert "&lt; 0.001" in notebook.table(rows[["p"]].set_axis(["maps, adjusted p"], axis=1), "Tests.").data


def test_every_text_is_escaped():
    """A label table of a reader may hold anything, an ethnicity of '<span>...<script>' for one."""
    bad = "<span></span><script>alert(1)</script>"
    rows = pd.DataFrame({"who": [bad], "score": [Estimate(0.5, 0.4, 0.6)]})
    shown = notebook.table(rows, bad, REAL).data
    assert "<script" not in shown
    assert "0.500 <span class='interval'>[0.400, 0.600]</span>" in shown


def test_a_named_index_is_a_column():
    rows = pd.DataFrame({"f1": [0.5]}, index=pd.Index(["Mixed"], name="arm"))
    assert "<th scope='col'>arm</th>" in notebook.table(rows, "Scores.").data
    assert "<td>Mixed</td>" in notebook.table(rows, "Scores.").data


def test_an_arm_has_the_name_that_readers_know_and_nothing_else_is_renamed():
    rows = pd.DataFrame({"a": ["dual_rgb"], "b": ["Mixed"], "target": ["database"]})
    shown = notebook.table(rows.set_index("a"), "Differences.").data
    assert "dual ResNet-18 on motion and face" in shown
    assert "dual_rgb" not in shown
    assert "<td>Mixed</td><td>database</td>" in shown


def test_a_finding_shows_question_estimate_verdict_answer_and_reason():
    one = Finding("c", "Is it so?", "It is.", 0.0, -0.1, 0.1, "not supported", "because", simulated=True)
    shown = notebook.findings([one]).data
    for part in (
        "Is it so?",
        "It is.",
        "because",
        "0.000",
        "[-0.100, 0.100]",
        "verdict not-supported",
        "SIMULATED",
    ):
        assert part in shown
    assert " open" in shown
    assert " open" not in notebook.findings([one], folded=True).data
    count = Finding("c", "How many?", "Many.", 53.0, None, None, "reproduced", "counted")
    assert "<span class='estimate'>53</span>" in notebook.findings([count]).data


def test_glued_text_reads_as_text(monkeypatch):
    glued = {}
    monkeypatch.setattr(notebook, "glue", lambda name, value, display: glued.update({name: repr(value)}))
    said = {
        "n": 16,
        "note": 'it\'s "so"',
        "score": "0.20",
        "clips": "1,024",
        "ends": "[0.10, 0.20]",
        "share": "80%",
    }
    notebook.say(**said)
    read = {name: format_plain_text(text, "") for name, text in glued.items()}
    assert read == said | {"n": "16", "share": "80 %"}
    assert glued["note"] == said["note"]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1.5, 2.0], " class=num"),
        (["0.21", "1,024.5", "–"], " class=num"),
        ([Estimate(0.5, 0.4, 0.6), None], " class=num"),
        (["9.1%", "100 %"], " class=num"),
        (["0.6210", "no"], ""),
        (["micro", "DIS"], ""),
        (["a name of several words"], " class=name"),
        ([], ""),
    ],
)
def test_numbers_stand_on_the_right_also_where_they_are_written_out(column, kind):
    assert notebook._kind(pd.Series(column, dtype=None if column else object), 3) == kind


def test_a_chapter_opens_with_what_real_data_say_first():
    one = Finding(
        "c", "Is it so?", "Recorded.", 0.5, 0.1, 0.9, "reproduced", "because", key="so", source="real clips"
    )
    found = [
        one,
        replace(one, answer="Live."),
        replace(one, answer="Made up.", simulated=True),
        replace(one, key="other"),
    ]
    shown = notebook.answers(found, "so").data
    assert "Recorded." in shown
    assert "real clips" in shown
    assert not any(word in shown for word in ("Live.", "Made up.", "SIMULATED"))
    with pytest.raises(KeyError):
        notebook.answers([replace(one, simulated=True)], "so")
