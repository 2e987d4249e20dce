"""The course: editions differ in solutions and notes alone; what is handed out, and what it keeps to itself."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile

import nbformat
import pytest
from bs4 import BeautifulSoup
from checkout import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.evidence import blind, exercises
from ethnicmer_lib.publish import course, sheets
from ethnicmer_lib.publish.chapters import LESSONS, code, read

NAMED = pytest.mark.parametrize("lesson", LESSONS, ids=lambda one: one.path.stem)


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


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


@NAMED
def test_slides_and_hand_out_are_whole_pages_of_the_students_notebook(lesson):
    notebook = course.edition(lesson, True)
    assert sum("key" in tags(cell) for cell in notebook.cells) == 1
    pages = {"slides": sheets.slides(notebook), "handout": sheets.handout(notebook, lesson)}
    asked = re.findall(r"^### (Exercise .*)$", lesson.path.read_text(encoding="utf-8"), re.MULTILINE)
    for kind, page in pages.items():
        shown = BeautifulSoup(page, "html.parser")
        heads = [one.text for one in shown("h2")]
        assert {*asked, "What to take away"} <= {*heads}
        assert "After it you can" in shown.text
        assert not shown("script")
        assert not re.search(r'(?:src|href)="(?!data:|#)', page)
        assert not re.search(r"check\(|Common wrong answers", shown.text)
        assert bool(shown(class_="quiz")) is (kind == "slides")
        assert bool(shown(class_="cell_input")) is (kind == "slides")
    words = [one.text for one in shown.find(id="terms")("strong")]
    assert words == [*sheets.terms(lesson)]
    assert len(words) >= 3


def test_a_sheet_holds_programs_formulas_and_what_a_cell_has_drawn():
    drawn = "import matplotlib.pyplot as plt\nplt.plot([0, 1])\nplt.show()"
    metadata = {"tags": ["key"], "mystnb": {"image": {"alt": "It rises."}}}
    program = "### Exercise 9.1: which line?\n\n```python\n# program a\nx = 1\n```\n\nand $u^2$."
    cells = [
        new_markdown_cell("# A\n\nb"),
        new_code_cell(drawn, metadata=metadata),
        new_markdown_cell(program),
    ]
    notebook = sheets.ran(new_notebook(cells=cells))
    for page in (sheets.slides(notebook), sheets.handout(notebook, LESSONS[0])):
        shown = BeautifulSoup(page, "html.parser")
        assert shown.img["alt"] == "It rises."
        assert shown.img["src"].startswith("data:image/png")
        assert "# program a\nx = 1" in shown.text
        assert shown.math
        assert "plt.plot" not in shown.text


def test_what_is_handed_out_runs_anywhere_and_its_secret_is_sealed(tiny, common, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("ETHNICMER_WORKSPACE", str(common / "workspace"))
    monkeypatch.setattr(course, "COHORTS", {"base": {"size": "tiny"}})
    monkeypatch.setattr(sheets, "ran", lambda notebook: notebook)
    course.write_course(tmp_path, "a word")
    student, instructor = tmp_path / "student", tmp_path / "instructor"
    for folder in (student, instructor):
        assert len([nbformat.read(path, 4) for path in folder.glob("?-*.ipynb")]) == len(LESSONS)
    for folder, kind in ((student, "handout"), (instructor, "slides")):
        assert len([*folder.glob(f"?-*-{kind}.html")]) == len([*folder.glob("*.html")]) == len(LESSONS)
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
    assert not [one for one in links if "'" in one], "Sphinx finds no term with an apostrophe"
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
