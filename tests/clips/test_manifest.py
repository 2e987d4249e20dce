"""Any database by a manifest: what is read, what is refused, and that the study is what the check says."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from typer.testing import CliRunner

from ethnicmer_lib.clips.check import FINE, UNUSABLE, WARNINGS
from ethnicmer_lib.clips.table import COLUMNS
from ethnicmer_lib.design import forest_baseline, subject_folds
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.motion import motion_images
from ethnicmer_lib.paper import judge
from ethnicmer_lib.paper.counted import count_tables
from ethnicmer_lib.publish import cli
from ethnicmer_lib.publish.chapters import chapter
from ethnicmer_lib.sources import check_source, open_clips, source_of
from ethnicmer_lib.stats import scores

HEADER = ["Proband", "Video", "Gefühl", "An", "Höhe", "Ab", "Gruppe", "FACS"]
NAMES = dict(
    zip(
        ("subject", "clip", "emotion", "onset", "apex", "offset", "group", "action_units"),
        HEADER,
        strict=True,
    )
)
ROWS = [
    ["Jörg", "a b", "Happiness", "3", "7", "9", "one", "12"],
    ["Jörg", "c", "disgust", "11", "13", "15", "one", "4"],
    ["P 2", "a b", "SURPRISE", "5", "6", "9", "two", "1+2"],
    ["P 2", "ü", "others", "1", "2", "3", "two", "7"],
]


class Listing:
    """A manifest to be written and damaged: ``rows``, ``header``, and entries of the source."""

    def __init__(self, root: Path, **entries: object):
        self.root, self.table = root, root / "clips.csv"
        self.header, self.rows = list(HEADER), [list(row) for row in ROWS]
        self.entries = {"database": "Own", "columns": dict(NAMES)} | entries

    def write(self, pictures: str = "frames") -> Listing:
        folder = self.root / pictures
        for number, (subject, clip, _, *frames) in enumerate(row[:6] for row in ROWS):
            for frame in frames if pictures == "frames" else [""]:
                inside = f"{subject}/{clip}/{frame}.png" if frame else f"{subject}_{clip}.png"
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                side = 40 if frame else 28
                image = np.random.default_rng([number, int(frame or 0)]).integers(
                    0, 255, (side, side, 3), np.uint8
                )
                (folder / inside).write_bytes(cv2.imencode(".png", image)[1])
        self.entries[pictures] = folder
        return self.list()

    def list(self) -> Listing:
        with self.table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self.header, *self.rows])
        return self

    @property
    def source(self) -> dict[str, object]:
        return {"kind": "manifest", "table": self.table, **self.entries}

    def codes(self, **entries: object) -> list[str]:
        return sorted(one.code for one in check_source({**self.source, **entries}, progress=False).problems)


@pytest.fixture
def frames(tmp_path):
    return Listing(tmp_path).write()


@pytest.fixture
def flow(tmp_path):
    return Listing(tmp_path).write("flow")


def test_frames_are_a_table_of_the_same_schema_as_any_source(frames):
    clips = open_clips(frames.source)
    assert list(clips.table.columns) == list(COLUMNS)
    assert clips.table["clip_id"].tolist() == ["Own/Jörg/a b", "Own/Jörg/c", "Own/P 2/a b"]
    assert clips.table["label"].tolist() == ["Positive", "Negative", "Surprise"]
    assert clips.table["ethnicity"].tolist() == clips.table["group"].tolist() == ["one", "one", "two"]
    assert clips.table["apex"].tolist() == [7, 13, 6]
    assert clips.frames("Own/P 2/a b", "apex").shape == (40, 40, 3)
    assert clips.provenance.others
    assert clips.provenance.source == "Own, frames of a manifest"
    assert check_source(frames.source, progress=False).exit_code == FINE


def test_flow_images_may_stand_in_the_place_of_frames(flow):
    clips = open_clips(flow.source)
    assert clips.flow("Own/Jörg/c").shape == (28, 28, 3)
    assert not clips.has_frames
    shutil.move(
        flow.root / "flow" / "Jörg_c.png", flow.root / "flow" / "Jörg_c .png"
    )  # as the published ones
    same = open_clips(flow.source)
    assert same.provenance == clips.provenance
    assert motion_images(same, size=28).shape == (3, 3, 28, 28)


def test_a_table_without_groups_has_one(flow):
    flow.entries["columns"].pop("group")
    assert open_clips(flow.source).groups == ["everyone"]
    assert flow.codes() == ["group_count"]
    two, one = (chapter(name).left_out(source_of(flow.source)) for name in ("prima_facie", "benchmark"))
    assert "compares two groups" in two
    assert one is None


@given(order=st.permutations(range(len(HEADER))), notes=st.integers(0, 2), semicolon=st.booleans())
@examples(max_examples=6, deadline=None)
def test_columns_are_found_in_any_order_below_any_notes(tmp_path_factory, order, notes, semicolon):
    listing = Listing(tmp_path_factory.mktemp("order")).write("flow")
    expected = open_clips(listing.source)
    listing.header = [listing.header[place] for place in order]
    listing.rows = [[row[place] for place in order] for row in listing.rows]
    listing.list()
    text = listing.table.read_text(encoding="utf-8")
    if semicolon:
        text = text.replace(",", ";")
    listing.table.write_text("a note\n" * notes + text, encoding="utf-8")
    found = open_clips(listing.source)
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert found.provenance == expected.provenance


NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)


@given(
    subject=NAME,
    clip=NAME,
    path=st.one_of(NAME, st.sampled_from(["../x", "/etc/passwd", "a/../../b", "C:\\x"])),
)
@examples(max_examples=12, deadline=None)
def test_whatever_names_a_table_holds_check_and_study_agree_and_nothing_outside_is_read(
    tmp_path_factory, subject, clip, path
):
    listing = Listing(tmp_path_factory.mktemp("names")).write("flow")
    listing.header.append("Pfad")
    listing.entries["columns"] |= {"path": "Pfad"}
    listing.rows = [[*row, f"{row[0]}_{row[1]}.png"] for row in listing.rows]
    listing.rows[0][0], listing.rows[0][1], listing.rows[0][-1] = subject, clip, path
    listing.list()
    report = check_source(listing.source, progress=False)
    if report.exit_code == UNUSABLE:
        with pytest.raises(StudyError):
            open_clips(listing.source)
    else:
        for row in open_clips(listing.source).table.itertuples():
            assert not re.search(r"[/\\\n]", row.subject + row.clip)


@given(cell=st.one_of(st.sampled_from(["nan", "NaN", "<NA>", "", "-3", "1e3", "7.5", "9" * 400]), NAME))
@examples(max_examples=6, deadline=None)
def test_a_frame_that_is_no_number_is_refused_with_its_clip(tmp_path_factory, cell):
    listing = Listing(tmp_path_factory.mktemp("numbers")).write()
    listing.rows[0][3] = cell
    listing.list()
    report = check_source(listing.source, progress=False)
    if not re.fullmatch(r"\s*\d{1,9}(\.0)?\s*", cell):
        assert report.exit_code == UNUSABLE
        with pytest.raises(StudyError, match=r"clip Own/Jörg/a b: .*onset"):
            open_clips(listing.source)


@pytest.mark.catalogue
@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (lambda one: one.rows.append(list(one.rows[0])), ["double_row"]),
        (lambda one: one.rows.append(["Jörg", "d", *one.rows[0][2:]]), ["no_flow_image"]),
        (lambda one: one.rows[0].__setitem__(2, "joy"), ["unknown_emotion"]),
        (lambda one: one.rows[0].__setitem__(6, ""), ["group_count", "no_group_label"]),
        (lambda one: one.rows[0].__setitem__(6, "two"), ["two_groups"]),
        (lambda one: one.rows[0].__setitem__(0, "nan"), ["unnamed_row"]),
        (lambda one: one.rows[0].__setitem__(1, "../c"), ["bad_name", "no_flow_image"]),
        (lambda one: one.header.__setitem__(1, "Film"), ["wrong_manifest"]),
        (lambda one: one.header.__setitem__(7, "Video"), ["wrong_manifest"]),
        (lambda one: one.entries.update(database=""), ["wrong_manifest"]),
        (lambda one: one.entries.update(rows={"Gruppe": ["nobody"]}), ["no_kept_clip"]),
        (lambda one: one.entries.update(rows={"Labor": "x"}), ["wrong_manifest"]),
        (lambda one: one.entries.update(table=one.root / "none.csv"), ["no_manifest"]),
        (lambda one: one.entries.update(flow=one.root / "none"), ["no_folder"]),
        (lambda one: one.entries["columns"].update(path="{Labor}.png"), ["wrong_manifest"]),
        (lambda one: one.entries["columns"].update(path="Jörg_a b.png"), ["wrong_manifest"]),
    ],
)
def test_what_is_wrong_is_named_and_the_study_stops_where_the_check_says_so(flow, change, codes):
    change(flow)
    flow.list()
    found = flow.codes()
    assert [code for code in found if code != "group_count"] == [
        code for code in codes if code != "group_count"
    ]
    report = check_source(flow.source, progress=False)
    assert report.exit_code == UNUSABLE
    with pytest.raises(StudyError):
        open_clips(flow.source)


def test_links_that_lead_out_of_the_folder_are_refused(frames, tmp_path):
    outside = tmp_path / "elsewhere.png"
    inner = frames.root / "frames" / "Jörg" / "c"
    shutil.move(inner / "11.png", outside)
    (inner / "11.png").symlink_to(outside)
    assert frames.codes() == ["outside"]
    with pytest.raises(StudyError, match="leaves its folder"):
        open_clips(frames.source).frames("Own/Jörg/c", "onset")
    shutil.move(inner, tmp_path / "far")
    inner.symlink_to(tmp_path / "far")
    frames.entries["columns"]["path"] = "{subject}/{clip}"
    assert frames.codes() == ["no_frames", "outside"]


def test_a_link_in_a_circle_ends(flow):
    (flow.root / "flow" / "Jörg_c.png").unlink()
    (flow.root / "flow" / "Jörg_c.png").symlink_to("Jörg_c.png")
    assert set(flow.codes()) <= {"no_flow_image", "outside"}


def test_frames_of_several_clips_may_lie_in_one_folder_and_the_same_pictures_may_not_be_two_clips(frames):
    frames.entries["columns"] |= {"clip": "{Video}-{An}", "path": "{Proband}/{Video}"}
    assert frames.codes() == []
    clips = open_clips(frames.source)
    assert clips.table["clip"].tolist() == ["a b-3", "c-11", "a b-5"]
    assert clips.frames("Own/Jörg/c-11", "onset").shape == (40, 40, 3)
    frames.entries["columns"] |= {"clip": "{Video}-{An}-{FACS}"}
    frames.rows.append([*frames.rows[0][:7], "6+12"])
    frames.list()
    assert frames.codes() == ["same_frames", "same_frames"]


def test_policies_are_those_of_licensed_copies(frames):
    frames.rows[1][4] = "/"
    (frames.root / "frames" / "P 2" / "a b" / "6.png").unlink()
    frames.list()
    assert frames.codes() == ["no_apex", "no_apex_file"]
    source = {**frames.source, "policies": {"missing_frames": "drop", "missing_apex": "offset"}}
    assert check_source(source, progress=False).exit_code == WARNINGS
    clips = open_clips(source)
    assert clips.table["apex"].tolist() == [7, 15]
    assert set(clips.decisions["rule"]) == {"missing_apex='offset'", "missing_frames='drop'"}


def test_folders_are_found_below_and_in_other_spellings_where_the_exact_names_are_not_there(frames):
    shutil.move(frames.root / "frames", frames.root / "inner")
    (frames.root / "frames").mkdir()
    shutil.move(frames.root / "inner", frames.root / "frames" / "Cropped")
    (frames.root / "frames" / "Cropped" / "P 2" / "a b").rename(
        frames.root / "frames" / "Cropped" / "P 2" / "A B"
    )
    assert frames.codes() == ["odd_folder_name"]
    assert open_clips(frames.source).frames("Own/P 2/a b", "apex").shape == (40, 40, 3)


def test_subjects_of_two_databases_are_told_apart(flow):
    flow.header.append("Labor")
    flow.rows = [[*row, "A" if number < 1 else "B"] for number, row in enumerate(flow.rows)]
    flow.entries["columns"] |= {"database": "Labor"}
    flow.list()
    assert flow.codes() == ["same_subject"]
    flow.entries["columns"] |= {"subject": "{database} {Proband}", "path": "{Proband}_{Video}.png"}
    assert flow.codes() == []
    assert open_clips(flow.source).table["subject"].tolist() == ["A Jörg", "B Jörg", "B P 2"]
    flow.entries["rows"] = {"Labor": "B"}
    assert open_clips(flow.source).table["database"].unique().tolist() == ["B"]


def test_emotions_are_mapped_as_the_reader_says(flow):
    flow.rows[0][2], flow.rows[3][2] = "0", "joy"
    flow.list()
    flow.entries["emotions"] = {0: "Negative", "Joy": "Positive", "disgust": None}
    labels = open_clips(flow.source).table.set_index("clip_id")["label"].to_dict()
    assert labels == {"Own/Jörg/a b": "Negative", "Own/P 2/a b": "Surprise", "Own/P 2/ü": "Positive"}
    with pytest.raises(StudyError, match=r"source\.emotions"):
        open_clips({**flow.source, "emotions": {"joy": "Happy"}})
    with pytest.raises(StudyError, match=r"source\.columns"):
        open_clips({**flow.source, "columns": {"subjct": "Proband"}})
    for wrong in ({"frames": None, "flow": None}, {"frames": flow.root}):
        with pytest.raises(StudyError, match=r"source\.frames or source\.flow"):
            open_clips({**flow.source, **wrong})


def test_no_number_of_the_paper_stands_beside_other_clips(flow):
    clips = open_clips(flow.source)
    counted = count_tables(clips.table, False, clips.provenance.others)
    assert counted["table_iii"]["ours"].to_dict() == {"Negative": 1, "Positive": 1, "Surprise": 1, "total": 3}
    assert pd.concat(counted.values())[["paper", "equal"]].isna().all(axis=None)
    (found,) = judge(
        "dataset", clips, loaded_counts=(3, {"subjects": 2, "rows": 1, "equal": 1, "holds": True, "note": ""})
    )
    assert found.verdict == "cannot be tested here"
    assert "not the paper's clips" in found.reason


HTNET = "dataset,sub,filename_o,label,apex,imagename,sub_filename"


#: SMIC's clips in the published list: subject -> how many are Negative, Positive, Surprise.
SMIC = {
    "s01": (3, 2, 1), "s02": (0, 1, 5), "s03": (22, 11, 6), "s04": (10, 4, 5), "s05": (1, 0, 1), "s06": (2, 0, 2),
    "s08": (9, 4, 0), "s09": (0, 1, 3), "s11": (3, 3, 1), "s12": (0, 8, 1), "s13": (0, 10, 0), "s14": (3, 2, 5),
    "s15": (1, 1, 2), "s18": (2, 0, 5), "s19": (0, 1, 1), "s20": (14, 3, 5),
}  # fmt: skip


@pytest.fixture(scope="module")
def htnet(tmp_path_factory):
    """The clone of the published flow, SMIC's names as they are and made-up images: the real ones are not here."""
    folder, rng = tmp_path_factory.mktemp("htnet"), np.random.default_rng(0)
    images = folder / "datasets" / "STSNet_whole_norm_u_v_os"
    images.mkdir(parents=True)
    lines = [HTNET, "casme2,sub01,EP02_01f,1,,,", "samm,006,006_1_2,0,,,"]
    for subject, counts in SMIC.items():
        for code, (name, count) in enumerate(zip(("ne", "po", "sur"), counts, strict=True)):
            for number in range(1, count + 1):
                clip = f"{subject}_{name}_{number:02d}"
                lines.append(f"smic,{subject},{clip},{code},,{subject}_{clip}.jpg,")
                image = rng.integers(0, 60, (28, 28, 3), np.uint8) + np.uint8(60 * code)
                (images / f"{subject}_{clip} .png").write_bytes(cv2.imencode(".png", image)[1])
    (folder / "combined_3_class2_for_optical_flow.csv").write_text("\n".join(lines))
    return folder


def test_smic_of_the_published_flow_is_read_by_the_recipe_of_the_book(htnet, workspace):
    clips = open_clips(recipe("smic", htnet))
    assert clips.provenance.source == "SMIC, flow images of a manifest"
    assert clips.table["subject"].nunique() == 16
    assert clips.table.groupby("label")["clip_id"].size().to_dict() == {
        "Negative": 70,
        "Positive": 51,
        "Surprise": 43,
    }
    images = motion_images(clips, size=28)
    found = forest_baseline(images, clips.table, subject_folds(clips.table, 3), seed=0)
    assert scores(found, by="arm")["macro"].iloc[0] > 0.5


def recipe(name: str, folder: Path) -> dict[str, object]:
    """A recipe as ``book/sources.yml`` has it; the page of the book prints the same."""
    book = Path(__file__).parents[2] / "book"
    text = (book / "sources.yml").read_text(encoding="utf-8")
    page = (book / "your_database.md").read_text(encoding="utf-8")
    printed = [yaml.safe_load(part) for part in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert next(part[name] for part in printed if name in part) == yaml.safe_load(text)[name]
    return yaml.safe_load(text.replace("$ETHNICMER_FLOW", str(folder)))[name]


def test_every_recipe_of_the_book_is_a_source():
    page = (Path(__file__).parents[2] / "book" / "your_database.md").read_text(encoding="utf-8")
    for part in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        for source in yaml.safe_load(part).values():
            assert source_of(source).kind == "manifest"


def test_the_command_checks_any_source_and_its_exit_code_tells(flow, tmp_path):
    def check(*options):
        return CliRunner().invoke(cli.app, ["data", "check", *options], catch_exceptions=False)

    source = yaml.safe_dump({**flow.source, "table": str(flow.table), "flow": str(flow.entries["flow"])})
    found = check("-p", f"source={source}")
    assert (found.exit_code, "few_subjects" in found.stdout) == (WARNINGS, True)
    (flow.root / "flow" / "Jörg_c.png").unlink()
    lost = check("-p", f"source={source}")
    assert (lost.exit_code, "Own/Jörg/c" in lost.stdout) == (UNUSABLE, True)
    assert check("-p", f"source={source}", "-p", "missing_frames=drop").exit_code == WARNINGS
    for wrong in (("--flow-dir", str(tmp_path)), ("--flow-dir", ".", "--samm", "."), ("-p", "source=tiny")):
        refused = check(*wrong)
        assert (refused.exit_code, refused.stderr.startswith("error: ")) == (UNUSABLE, True), wrong
