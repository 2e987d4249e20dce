"""The course: solutions pass their checks and stubs do not; editions differ in solutions and notes alone."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile

import matplotlib
import nbformat
import pytest
from bs4 import BeautifulSoup
from checkout import ROOT

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import blind, exercises
from ethnicmer_lib.publish import course
from ethnicmer_lib.publish.chapters import LESSONS, code, read

NAMED = pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.path.stem)
EDITIONS = pytest.mark.parametrize("student", [False, True], ids=["solutions", "stubs"])


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


@EDITIONS
@NAMED
def test_every_solution_passes_its_check_and_every_stub_fails_it(lesson, student, tiny, common, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    check, found = exercises.check, []
    monkeypatch.setattr(exercises, "check", lambda *asked: found.append(check(*asked)))
    cells = course.edition(lesson, student).cells
    space: dict = {}
    for cell in cells:
        if cell.cell_type == "code" and "instructor" not in tags(cell):
            exec(cell.source, space)
    assert len(found) == sum("check" in tags(cell) for cell in cells) >= 4
    assert [one.text for one in found if one.right is student] == []


#: Plausible wrong answers of lesson 3: exercise, code in place of the solution, what the hint says.
WRONG = [
    ("3.1", "def macro_f1(truth, said):\n    return np.mean(truth == said)", "accuracy"),
    (
        "3.1",
        "def macro_f1(truth, said):\n    return f1_score(truth, said, average='weighted')",
        "each label counts the same",
    ),
    (
        "3.1",
        "def macro_f1(truth, said):\n"
        "    names = np.unique(truth)\n"
        "    hits = np.array([np.sum((truth == one) & (said == one)) for one in names])\n"
        "    p = np.mean(hits / [max(1, np.sum(said == one)) for one in names])\n"
        "    r = np.mean(hits / [np.sum(truth == one) for one in names])\n"
        "    return 2 * p * r / (p + r)",
        "not the mean of precision and recall",
    ),
    (
        "3.2",
        "def folds(subject):\n"
        "    return [(np.array([], int), np.flatnonzero(subject == s)) for s in np.unique(subject)]",
        "in training or in test",
    ),
    (
        "3.2",
        "def folds(subject):\n    return [(subject != s, subject == s) for s in np.unique(subject)]",
        "not a mask",
    ),
    (
        "3.2",
        "def folds(subject):\n"
        "    rows = [np.flatnonzero(subject == s) for s in np.unique(subject)]\n"
        "    return [(b, np.setdiff1d(np.arange(len(subject)), b)) for b in rows]",
        "come first in the pair",
    ),
    (
        "3.2",
        "def folds(subject):\n"
        "    names = np.unique(subject)[::-1]\n"
        "    return [(np.flatnonzero(subject != s), np.flatnonzero(subject == s)) for s in names]",
        "sorted order",
    ),
    ("3.4", "def honest(measures, codes, subject):\n    return np.zeros_like(codes)", "not recognised"),
]


def test_wrong_answers_get_the_hint_that_they_need(tiny, common, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    said: list[str] = []
    check = exercises.check
    monkeypatch.setattr(exercises, "check", lambda *asked: said.append(check(*asked).text))
    (lesson,) = (one for one in LESSONS if one.path.stem == "evaluation")
    space: dict = {}
    for cell in course.edition(lesson, False).cells:
        if cell.cell_type != "code" or "instructor" in tags(cell):
            continue
        exec(cell.source, space)
        if "check" not in tags(cell):
            continue
        assert "right" in said[-1]
        for exercise, wrong, hint in WRONG:
            if f'check("{exercise}"' in cell.source:
                mine = dict(space)
                exec(wrong, mine)
                if exercise == "3.4":
                    mine["said"] = mine["honest"](mine["noise"], mine["codes"], mine["subject"])
                exec(cell.source, mine)
                assert "not yet" in said[-1], wrong
                assert hint in said[-1], (wrong, said[-1])
        if 'check("3.4"' in cell.source:
            break
    assert sum("not yet" in one for one in said) == len(WRONG)


@NAMED
def test_editions_differ_in_solutions_and_notes_alone(lesson):
    student, instructor = (course.edition(lesson, student).cells for student in (True, False))
    shared = [cell for cell in instructor if "instructor" not in tags(cell)]
    assert 2 <= len(instructor) - len(shared) <= 4
    for mine, theirs in zip(student, shared, strict=True):
        assert mine.id == theirs.id
        assert (mine.source == theirs.source) is ("solution" not in tags(mine))


@NAMED
def test_a_lesson_has_what_a_teacher_needs_and_notebooks_hold_no_markup_of_the_book(lesson):
    source = lesson.path.read_text(encoding="utf-8")
    for words in ("After it you can", "Before it", "minutes of teaching", "What to take away"):
        assert words in source, words
    for words in ("Live coding", "Common wrong answers", "expected("):
        assert words in source.partition('{"tags": ["instructor"]}')[2], words
    exercises_in = len(re.findall(r"^### Exercise \d\.\d: ", source, re.MULTILINE))
    assert exercises_in == source.count("tags: [solution,") == source.count("tags: [check,") >= 4
    questions = [cell for cell in read(lesson).cells if "quiz" in tags(cell)]
    assert len(questions) >= 2
    for cell in questions:
        assert cell.source.count(f': "{exercises.RIGHT}.') == 1, cell.source
    for cell in course.edition(lesson, True).cells:
        assert not re.search(r"\{\w+(:\w)?\}`|^:::|^\([\w-]+\)=$", cell.source, re.MULTILINE), cell.source


def test_what_is_handed_out_runs_anywhere_and_its_secret_is_sealed(tiny, common, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    monkeypatch.setattr(course, "COHORTS", {"base": {"size": "tiny"}})
    course.write_course(tmp_path, "a word")
    student, instructor = tmp_path / "student", tmp_path / "instructor"
    for folder in (student, instructor):
        assert len([nbformat.read(path, 4) for path in folder.glob("?-*.ipynb")]) == len(LESSONS)
    names = zipfile.ZipFile(student / "cohorts.zip").namelist()
    assert all(re.match(r"_build/cohorts/simulated-\w{16}/", name) for name in names)
    assert len(names) > 3 * len(tiny)
    key = (instructor / "blind-key.txt").read_bytes()
    assert hashlib.sha256(key).hexdigest() in (student / "blind-seal.txt").read_text()
    assert not [path for path in student.rglob("*") if path.is_file() and b"a word" in path.read_bytes()]
    given = blind.opened(student)
    assert [len(table) for table in given.values()] == [580] * 4
    assert all(table.equals(given[name]) for name, table in blind.opened(instructor).items())
    assert (blind.word_of(instructor), blind.word_of(student)) == ("a word", blind.BOOK)
    (student / "blind-north.csv").unlink()
    with pytest.raises(StudyError, match=r"blind-north\.csv missing"):
        blind.opened(student)
    assert "Cohort base: _build/cohorts/simulated-" in (student / "README.txt").read_text()
    assert "blind-key.txt" in (instructor / "README.txt").read_text()
    assert json.loads((student / "results" / "traps" / "record.json").read_text())


def test_lessons_need_no_deep_learning_library():
    text = "\n".join(source for lesson in LESSONS for source, _ in code(lesson))
    imports = re.findall(r"^(?:from|import) .+", text, re.MULTILINE)
    used = [f"em.{name}" for name in sorted({*re.findall(r"\bem\.(\w+)", text)})]
    program = "; ".join([*imports, *used, "import sys", "print('torch' in sys.modules)"])
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_terms_are_links_that_say_what_they_mean(tmp_path):
    (tmp_path / "book").mkdir()
    extensions = "extensions, myst_enable_extensions = ['hover', 'myst_parser'], ['colon_fence']"
    entries = (
        "apex\n  The largest.\n\nmacro F1\n  A mean.\n\noptical flow\n  A move.\n\nCramér's V\n  A share.\n"
    )
    contents = ":::{toctree}\nbook/glossary\nbook/page\n:::\n"
    pages = {
        "conf.py": f"import sys\nsys.path.append({str(ROOT / 'book' / '_ext')!r})\n{extensions}\n",
        "index.md": f"# A macro F1\n\n{{term}}`apex` and {{term}}`so <apex>`\n\n{contents}",
        "book/page.md": "# B\n\nAn apex, `macro F1`, macro F1, and macro F1 again; Optical flows. Cramér's V.\n",
        "book/glossary.md": f"# C\n\n:::{{glossary}}\n{entries}:::\n",
    }
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(tmp_path), str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    links = [
        (one.text, one["title"])
        for page in ("index", "book/page")
        for one in BeautifulSoup((tmp_path / "out" / f"{page}.html").read_text(), "html.parser")(
            "a", title=True
        )
        if "#term-" in one["href"]
    ]
    by_hand = [("apex", "The largest."), ("so", "The largest.")]
    assert links == [
        *by_hand,
        ("macro F1", "A mean."),
        ("Optical flows", "A move."),
        ("Cramér’s V", "A share."),
    ]


def test_every_term_of_the_glossary_is_defined_once_and_explained_where_it_is_used():
    glossary = ROOT / "book" / "glossary.md"
    entries = glossary.read_text(encoding="utf-8").partition(":::{glossary}\n")[2]
    terms = re.findall(r"^\w.*", entries, re.MULTILINE)
    assert len(terms) == len({term.lower() for term in terms}) > 60
    assert not re.findall(r"\{cite", entries), "what a pointer shows is plain text"
    pages = [one.read_text(encoding="utf-8") for one in (ROOT / "book").rglob("*.md") if one != glossary]
    links = {
        (named or word).lower()
        for word, named in re.findall(r"\{term\}`([^<`]+?)(?:\s<([^>]+)>)?`", "".join([entries, *pages]))
    }
    assert links <= {term.lower() for term in terms}
    # A name, or several words, becomes a link by itself (book/_ext/hover.py); any other word where a page says so.
    prose = " ".join(re.sub(r"```.*?```", "", "".join(pages), flags=re.DOTALL).split())
    by_itself = {
        term.lower() for term in terms if re.search("[A-Z ]", term) and term.lower() in prose.lower()
    }
    assert {term.lower() for term in terms} - links - by_itself == set()


def test_a_check_says_right_or_a_hint_and_never_raises():
    assert exercises.check("1.1", (lambda: True, "no")).right
    said = exercises.check("1.1", (lambda: True, "first"), (lambda: 1 / 0, "Divide by what is there."))
    assert not said.right
    assert repr(said).startswith(
        "Exercise 1.1: not yet. Divide by what is there. (Python says: ZeroDivisionError"
    )


def test_a_stub_keeps_signatures_and_what_the_check_asks_for():
    solution = '# think\nimport numpy as np\nhelp = 3\n\ndef f(x):\n    """Twice."""\n    return 2*x\n\na, b = f(1), 2'
    stub = exercises.stub(solution, "check('1', (lambda: f(2) == 4 and a == 2, ''))")
    assert stub.splitlines() == [
        "# think",
        "import numpy as np",
        "def f(x):",
        '    """Twice."""',
        "    ...",
        "a = ...",
    ]


def test_blind_answers_are_marked_against_what_was_planted():
    truth = blind.key("w")["effect"]
    assert sorted(truth) == ["no", "no", "yes", "yes"]
    right = blind.mark(dict(truth), "w")
    assert right["points"].sum() == 4
    assert blind.mark({"north": "cannot tell"}, "w")["points"].tolist() == [0]
    assert blind.settings("w") != blind.settings("v")
