"""Exercises of the course: solutions pass, stubs do not, and a plausible wrong answer gets the hint that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import matplotlib
import pytest
from checkout import ROOT

from ethnicmer_lib.evidence import blind, exercises
from ethnicmer_lib.publish import course
from ethnicmer_lib.publish.chapters import LESSONS

NAMED = pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.path.stem)

#: Exercise, what slips in its solution ('' for all of it), what is said in its place, what the hint says.
WRONG = [
    ("1.1", "1000 / 200", "1000 / 60", "5 ms"),
    ("1.1", '["offset"] - clips', '["apex"] - clips', "5 ms"),
    ("1.1", "(duration_ms < 250).sum()", "len(duration_ms)", "250 ms"),
    ("1.1", ".sum()", ".mean()", "not a share"),
    ("1.2", r're.findall(r"\d+", code)', 'code.split("+")', "Letters stand before and after"),
    ("1.2", r"\d+", r"\d", "one number, {12}"),
    ("1.2", "int(number)", "number", "one number, {12}"),
    ("1.3", "unit in found", "str(unit) in str(found)", "AU 2 is not AU 12"),
    ("1.3", 'real["label"] == "Surprise"', ":", "labelled Surprise only"),
    (
        "1.4",
        "sum(np.mean(a == label) * np.mean(b == label) for label in np.unique([a, b]))",
        "1 / 3",
        "sum over labels",
    ),
    ("1.4", "np.mean(b == label)", "np.mean(a == label)", "shares of both coders"),
    ("1.4", " / (1 - chance)", "", "agrees with herself"),
    ("1.5", "codes.nunique() > 1 for", "codes.nunique() for", "Subjects, not clips"),
    ("1.5", "codes.nunique() > 1 for", "len(codes) > 1 for", "different codes"),
    ("2.1", "return -", "return ", "minus sign"),
    ("2.1", "(f + g) / 2", "f", "There and back"),
    ("2.1", "-(slope * change).sum() / (slope**2).sum()", "-(change / slope).mean()", "Divide the sums"),
    ("2.2", "np.linalg.norm(flow - truth, axis=2)", "np.abs(flow - truth)", "length of the difference"),
    ("2.2", "[where].mean()", ".mean()", "inside the mask"),
    ("2.2", "(np.zeros_like(known.flow), known.flow", "(flow, 0 * flow", "a flow of zeros"),
    ("2.3", "u_y, u_x = np.gradient(u)", "u_x, u_y = np.gradient(u)", "axis 0 (y) first"),
    ("2.3", " + 2 * ((u_y + v_x) / 2) ** 2", "", "Shear counts"),
    ("2.3", "((u_y + v_x) / 2)", "(u_y + v_x)", "e_xy is half"),
    ("2.3", "u_y + v_x", "u_y - v_x", "A small turn is no strain"),
    ("2.4", "np.median(", "np.mean(", "the mean smears the brow"),
    ("2.4", "flow[where], axis=0", "flow[where]", "One median for u, one for v"),
    ("2.4", "flow[where], axis=0", "flow, axis=(0, 1)", "inside the mask"),
    ("2.5", "noisy(onset, level), ", "onset, ", "noise in both frames"),
    ("2.5", "rng.normal", "np.random.default_rng(0).normal", "the same noise"),
    ("2.5", "np.clip(frame + rng.normal(0, level, frame.shape), 0, 255)", "(frame + level)", "cut to 0..255"),
    ("2.5", "(0, 1, 3, 6)", "(1, 3, 6)", "four pairs"),
    ("3.1", "", "def macro_f1(truth, said):\n    return np.mean(truth == said)", "accuracy"),
    (
        "3.1",
        "",
        "def macro_f1(truth, said):\n    return f1_score(truth, said, average='weighted')",
        "each label counts the same",
    ),
    (
        "3.1",
        "",
        "def macro_f1(truth, said):\n"
        "    names = np.unique(truth)\n"
        "    hits = np.array([np.sum((truth == one) & (said == one)) for one in names])\n"
        "    p = np.mean(hits / [max(1, np.sum(said == one)) for one in names])\n"
        "    r = np.mean(hits / [np.sum(truth == one) for one in names])\n"
        "    return 2 * p * r / (p + r)",
        "not the mean of precision and recall",
    ),
    ("3.2", "np.flatnonzero(subject != one)", "np.array([], int)", "in training or in test"),
    (
        "3.2",
        "np.flatnonzero(subject != one), np.flatnonzero(subject == one)",
        "subject != one, subject == one",
        "not a mask",
    ),
    (
        "3.2",
        "np.flatnonzero(subject != one), np.flatnonzero(subject == one)",
        "np.flatnonzero(subject == one), np.flatnonzero(subject != one)",
        "come first in the pair",
    ),
    ("3.2", "np.unique(subject)", "np.unique(subject)[::-1]", "sorted order"),
    ("3.3", "np.mean(single)", "pooled", "one macro F1 a subject"),
    (
        "3.4",
        "measures[train], codes[train], 40",
        "measures, codes, 40",
        "something has seen the test subject",
    ),
    ("3.4", "", "def honest(measures, codes, subject):\n    return np.zeros_like(codes)", "not recognised"),
    ("3.5", '"b": 5', '"b": 4', "what is done with it"),
    ("3.5", '"c": 0', '"c": 2', "training rows only"),
    ("3.6", "row.inflation.low > 0", "row.inflation.value > 0", "low > 0"),
    (
        "4.1",
        '[part for _, part in rows.groupby("subject")]',
        "[rows.iloc[[i]] for i in range(len(rows))]",
        "not clips",
    ),
    ("4.1", "size=(n, len(by_subject))", "size=(n, len(by_subject) // 2)", "as many subjects as there are"),
    (
        "4.1",
        "rng.integers(len(by_subject), size=(n, len(by_subject)))",
        "[rng.permutation(len(by_subject)) for _ in range(n)]",
        "with replacement",
    ),
    ("4.2", "", "by_subject, by_clip = by_clip, by_subject", "Are the two names exchanged?"),
    ("4.2", "", "by_subject = by_subject / 2", "upper minus lower percentile"),
    ("4.3", "macro(rows)", 'rows.groupby("subject").apply(macro).mean()', "All clips of one seed together"),
    ("4.3", "per_run.max() - per_run.min()", "per_run.std()", "largest minus the smallest"),
    ("4.4", " * (norm.ppf(0.975) + norm.ppf(0.8)) / norm.ppf(0.975)", "", "the factor is about"),
    ("4.4", '.diff()["dual_motion"]', '["dual_motion"]', "second row minus first"),
    ("4.5", ' if -margin < low and high < margin else "cannot tell"', "", "the data cannot tell"),
    ("4.5", "-margin < low and ", "", "Both ends"),
    (
        "4.5",
        "    if low > 0",
        '    if -margin < low and high < margin:\n        return "equal"\n    if low > 0',
        "ask that first",
    ),
    ("4.6", "np.arange(len(p), 0, -1)", "len(p)", "not m for all"),
    ("4.6", "np.maximum.accumulate(", "(", "never falls below"),
    ("4.6", "adjusted[order] =", "adjusted[:] =", "in the order given"),
    ("4.6", "np.minimum(steps, 1)", "steps", "at most 1"),
    (
        "5.1",
        "    for i, j in np.ndindex(4, 4):\n        covered = image.copy()",
        "    covered = image.copy()\n    for i, j in np.ndindex(4, 4):",
        "holes add up",
    ),
    ("5.1", "image.copy()", "image", "The picture itself was covered"),
    ("5.1", "found[i, j]", "found[j, i]", "Row first"),
    ("5.1", "covered[:, ", "covered[0, ", "all three channels"),
    (
        "5.2",
        "np.maximum((weights[:, None, None] * maps).sum(axis=0), 0)",
        "np.maximum(weights[:, None, None] * maps, 0).sum(axis=0)",
        "then the cut at zero",
    ),
    ("5.2", "np.maximum((weights[:, None, None] * maps).sum(axis=0), 0)", "maps.sum(axis=0)", "positive"),
    ("5.2", "gradients.mean(axis=(1, 2))", "maps.mean(axis=(1, 2))", "the mean of its gradient"),
    ("5.3", "(scores, other)", "(scores, learn(labels, subject[asked]))", "one of `other`"),
    ("5.3", "[0, 1]", "[0, 0]", "[0, 1] of np.corrcoef"),
    ("5.4", "int(share * mean.size)", "1", "the four that move most"),
    ("5.4", ".mean(axis=(1, 3))", ".max(axis=(1, 3))", "the mean over the square"),
    ("5.5", '"subject": subject', '"subject": np.arange(len(values))', "Permute whole subjects"),
    ("5.5", "abs(", "(", "Two-sided"),
    ("5.5", "(1 + more) / (1 + n)", "more / n", "at least 1 / (1 + n)"),
    ("5.5", "mean().to_numpy()", "sum().to_numpy()", "forty clips counts once"),
    (
        "6.1",
        "((counts - expected_counts) ** 2 / expected_counts)",
        '__import__("scipy.stats").stats.chi2_contingency(counts)[0]',
        "No continuity correction",
    ),
    ("6.1", " * (min(counts.shape) - 1)", "", "three categories"),
    ("6.1", "np.sqrt", "", "the square root"),
    ("6.2", 'means["A"] - means["B"]', 'means["B"] - means["A"]', "A minus B"),
    ("6.2", ' if part["group"].nunique() == 2', "", "leave it out"),
    ("6.2", ", weights=[len(part) for part in parts]", "", "weighted by clips"),
    (
        "6.2",
        "np.average([gap(part) for part in parts], weights=[len(part) for part in parts])",
        "gap(pd.concat(parts))",
        "The gap inside each database",
    ),
    ("6.3", "range(10)", "[7] * 10", "seeds 0 to 9"),
    ("6.3", "[gap_within(", "[gap(", "only SAMM holds both groups"),
    ("6.4", '["right"].mean().groupby("group")', '["right"].sum().groupby("group")', "mean over labels"),
    ("6.4", '["group", "label"]', '["group", "predicted"]', "First by group and label"),
    ("6.5", ' & (table["database"] == "SAMM")', "", "within the database that holds both"),
    ("6.5", 'inside["subject"]', "inside.index", "The subject is the unit"),
    ("6.5", '(table["label"] == "Surprise") & ', "", "Look at Surprise"),
    (
        "6.5",
        'measure = inside["AU26L"] + inside["AU26R"] - inside["AU01L"] - inside["AU01R"]',
        'measure = inside.filter(like="AU").mean(axis=1)',
        "An effect without confounding is missed",
    ),
]


@pytest.fixture
def classroom(tiny, common, monkeypatch) -> list[exercises.Checked]:
    """What the checks of this test have said so far; the tiny cohort is at hand."""
    matplotlib.use("Agg")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    monkeypatch.setattr(blind, "cohort", cache(blind.cohort))  # the same for every answer
    check, said = exercises.check, []
    monkeypatch.setattr(exercises, "check", lambda *asked: said.append(check(*asked)))
    return said


def run(lesson, student: bool) -> Iterator[tuple[str, str, dict]]:
    """Run an edition; of every exercise its answer, its check, and the names after both."""
    space: dict = {}
    answer = ""
    for cell in course.edition(lesson, student).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or "instructor" in tags:
            continue
        exec(cell.source, space)
        if "solution" in tags:
            answer = cell.source
        if "check" in tags:
            yield answer, cell.source, space


@NAMED
def test_every_stub_fails_its_check(lesson, classroom):
    assert len(list(run(lesson, student=True))) == len(classroom) >= 4
    assert [one.text for one in classroom if one.right] == []


@NAMED
def test_every_solution_passes_and_wrong_answers_get_the_hint_that_they_need(lesson, classroom):
    for answer, check, space in run(lesson, student=False):
        assert classroom[-1].right, classroom[-1].text
        slips = [one for one in WRONG if f'check("{one[0]}"' in check]
        assert slips, check
        for _, slip, instead, hint in slips:
            assert slip in answer
            theirs = dict(space)
            exec(answer.replace(slip, instead) if slip else instead, theirs)
            exec(check, theirs)
            assert not classroom[-1].right, (slip, instead)
            assert hint in classroom[-1].text, (slip, instead, classroom[-1].text)
