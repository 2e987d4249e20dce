"""Hostile and damaged tables, codes and parameters: answered in one line, or read for what they are."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from licensed_copy import CASME2_HEADER, Study, refused

from ethnicmer_lib.clips import coding, facs
from ethnicmer_lib.clips.check import UNUSABLE, check
from ethnicmer_lib.clips.labels import CASME2
from ethnicmer_lib.clips.licensed import open_licensed
from ethnicmer_lib.errors import StudyError, checked
from ethnicmer_lib.publish import chapters
from ethnicmer_lib.publish.cli.options import entries, typed

CODING = "CASME2-coding-20140508.xlsx"
NUMBERS = [
    10**20, "1e19", 2**63 - 1, "9" * 5000, "-0", "-5", "1.5", "1,5", "0x2E", "46 frames", "٤٦", "²", "=1+1", "NaN",
    "inf", True, "<script>alert(1)</script>", "46;59", "../46",
]  # fmt: skip
#: A formula has no value before a table program has opened the file.
NO_NUMBER = {"=1+1"}


@pytest.mark.catalogue
@pytest.mark.parametrize("cell", NUMBERS, ids=lambda cell: ascii(cell)[:20])
def test_an_onset_that_is_no_frame_number_is_refused_with_clip_and_row(study, cell):
    study.write()
    study.casme2_rows[0] = (1, "EP02_01f", cell, 59, 86, 12, "happiness")
    study.write_coding()
    words = ("no onset frame", "empty") if cell in NO_NUMBER else ("a frame that is no number", "onset '")
    refused(study, "CASME II/sub01/EP02_01f", f"{CODING} row 2", *words)


@pytest.mark.catalogue
@pytest.mark.parametrize(
    "name", ["../../etc", "/etc/passwd", "..", "EP02_01f/../EP19_05f", "a\nb", "x" * 400]
)
def test_a_clip_name_cannot_lead_to_other_frames(study, name):
    study.write()
    study.casme2_rows[0] = (1, name, 46, 59, 86, 12, "happiness")
    study.write_coding()
    groups = study.write_groups(study.root / "groups.csv") if "\n" not in name else None
    report = check(study.casme2, study.samm, groups)
    assert report.exit_code == UNUSABLE
    with pytest.raises(StudyError):
        _first_onset(study, groups)


def _first_onset(study: Study, groups: Path | None):
    cohort = open_licensed(study.casme2, study.samm, groups)
    return cohort.frames(cohort.table["clip_id"].iloc[0], "onset")


def _part(name: str, content: bytes):
    """Damage: another content for one member of the spreadsheet."""

    def damage(path: Path) -> None:
        with zipfile.ZipFile(path) as book:
            held = {one: book.read(one) for one in book.namelist()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
            for one, old in held.items():
                book.writestr(one, content if one == name else old)

    return damage


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    at = content.index(b"xl/worksheets/sheet1.xml") + 40
    content[at : at + 60] = bytes(byte ^ 0x5A for byte in content[at : at + 60])
    path.write_bytes(content)


SHEET, BOOK, STYLES = "xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-300]),
    "half": lambda path: path.write_bytes(path.read_bytes()[:2000]),
    "bits": _flipped,
    "old format": lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
    "a web page": lambda path: path.write_bytes(b"<html>please log in</html>"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a dead link": lambda path: (path.unlink(), path.symlink_to("/not/fetched")),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path)),
    "sheet cut": _part(SHEET, b"<worksheet><sheetData><row><c><v>1"),
    "sheet empty": _part(SHEET, b""),
    "book empty": _part(BOOK, b""),
    "styles empty": _part(STYLES, b""),
    "an entity bomb": _part(SHEET, BOMB + b"]><worksheet>&j;</worksheet>"),
    "an entity of a file": _part(
        SHEET, b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet>&e;</worksheet>'
    ),
}


@pytest.mark.catalogue
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_spreadsheet_is_refused_by_name(study, damage):
    DAMAGES[damage](study.write().casme2 / CODING)
    refused(study, CODING)


@pytest.mark.catalogue
@pytest.mark.parametrize("corner", ["XFD1048576", "A1048576", "XFD1"])
def test_a_stray_cell_far_away_changes_nothing(study, corner):
    path = study.write().casme2 / CODING
    before = coding.read_coding(path, CASME2)[0]
    book = openpyxl.load_workbook(path)
    book.active[corner] = "x"
    book.save(path)
    found, problems = coding.read_coding(path, CASME2)
    assert found.equals(before)
    assert {one.code for one in problems} <= {"no_apex"}


def test_a_sheet_of_more_rows_than_any_list_of_clips_is_refused(study, monkeypatch):
    monkeypatch.setattr(coding, "ROWS", 4)
    study.write()
    refused(study, CODING, "has 4 rows or more")


@settings(deadline=None, max_examples=15)
@given(
    row=st.tuples(*[st.one_of(st.text(max_size=8), st.integers(-3, 200).map(str))] * 7),
    sep=st.sampled_from(",;\t"),
)
@example(row=("0", "\0", "", "", "0", "", ""), sep=",")
def test_whatever_a_row_says_the_check_and_the_study_agree(tmp_path_factory, row, sep):
    study = Study(tmp_path_factory.mktemp("row")).write()
    (study.casme2 / CODING).unlink()
    names = [name for name in CASME2_HEADER if name]
    quoted = [f'"{cell}"' for cell in (re.sub(r'["\ud800-\udfff]', "", text) for text in row)]
    lines = [names, quoted, ["1", "EP02_01f", "46", "59", "86", "12", "happiness"]]
    text = "\n".join(sep.join(line) for line in lines)
    (study.casme2 / "CASME2-coding-20140508.csv").write_text(text, encoding="utf-8")
    report = check(study.casme2, study.samm)
    try:
        cohort = open_licensed(study.casme2, study.samm)
        for clip in cohort.table["clip_id"]:
            assert cohort.frames(clip, "onset").size
            assert cohort.frames(clip, "apex").size
    except StudyError:
        assert report.exit_code == UNUSABLE
    else:
        assert report.exit_code != UNUSABLE, report.text()


@settings(deadline=None, max_examples=200)
@given(st.one_of(st.text(max_size=30), st.text("LRABT0123456789+/() or", max_size=30)))
def test_any_code_gives_units_that_can_be_shown_and_sides(text):
    code = facs.read_code(text)
    assert set(code) <= facs.SHOWN - {facs.BLINK}
    assert set(code.values()) <= {"", "L", "R"}


def given_on_the_command_line(*pairs: str):
    return checked(chapters.chapter("benchmark").model, entries(typed(pairs)))


@pytest.mark.catalogue
@pytest.mark.parametrize(
    "pair",
    [
        "seed=[1", "seed=@x", "seed=*x", "seed=a: b: c", "seed={", "seed='", "seed=!!python/object/apply:os.getcwd []",
        "seed=&a [*a]", "seed=yes", "seed=true", "seed=", "seed=1.5", "seed=.nan", "seed=1:30", "seed=2019-07-01",
        "seed=" + "9" * 5000, "seed=0x10", "seed={a: 1}", "seed=" + "[" * 5000, "=3", "seed", "seed.x=3", "recipe=3",
        "recipe.learning_rate=true", "recipe.learning_rate=.nan", "recipe.learning_rate=.inf",
        "recipe.learning_rate=-1", "recipe.epochs=1e9", "n_seeds=0", "source=", "source.seed=-1", "folds=one",
        "variants=[resnet18, resnet18]",
    ],
    ids=lambda pair: pair[:30],
)  # fmt: skip
def test_a_parameter_that_means_nothing_is_refused_in_one_line(pair):
    with pytest.raises(StudyError) as refused:
        given_on_the_command_line(pair)
    assert "\n" not in str(refused.value)


@pytest.mark.catalogue
@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("seed=010", "seed", 10),
        ("seed=+3", "seed", 3),
        ("folds=loso", "folds", "loso"),
        ("seed='3'", "seed", 3),
    ],
)
def test_a_parameter_means_what_it_says(pair, name, value):
    assert getattr(given_on_the_command_line(pair), name) == value


def test_words_for_yes_are_for_switches_only():
    for word in ("true", "yes", "on"):
        assert given_on_the_command_line(f"switches.shared_backbone={word}").switches.shared_backbone is True


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=20))
def test_any_text_for_a_number_is_a_number_or_refused(text):
    try:
        seed = given_on_the_command_line(f"seed={text}").seed
    except StudyError:
        return
    assert str(seed) in text.replace("_", "")
