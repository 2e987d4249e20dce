"""The privacy guard: a licensed face is found however it was changed, and simulated faces are never taken for one."""

from __future__ import annotations

import base64
import functools
import io
import json
from types import SimpleNamespace

import cv2
import matplotlib.cbook
import matplotlib.pyplot as plt
import numpy as np
import pytest
from licensed_copy import Study
from typer.testing import CliRunner

from ethnicmer_lib.clips.origin import Frame, refuse
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import build as book
from ethnicmer_lib.publish import cli
from ethnicmer_lib.publish.guard import Guard, pictures
from ethnicmer_lib.show.figures import activation, dataset
from ethnicmer_lib.sources import open_clips, source_of
from ethnicmer_lib.store import Provenance, Run

CLIP = "SAMM/006/006_1_2"


def photograph() -> np.ndarray:
    """A face, (320, 290) uint8: the photograph of Grace Hopper that comes with matplotlib, in the public domain."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return cv2.cvtColor(plt.imread(file), cv2.COLOR_RGB2GRAY)[10:330, 110:400]


FACE = photograph()
APEX = cv2.warpAffine(
    FACE, np.float32([[1, 0, 1.5], [0, 1, -1]]), FACE.shape[::-1], borderMode=cv2.BORDER_REFLECT
)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard({CLIP: FACE})


def wide(width: int) -> np.ndarray:
    """The apex frame so many px wide."""
    size = width / APEX.shape[1]
    return cv2.resize(APEX, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)


def page(face: np.ndarray) -> np.ndarray:
    """A white page with a line of text and a face."""
    made = np.full((500, 700), 255, np.uint8)
    cv2.putText(made, "Figure 3: motion of one clip", (30, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    made[80 : 80 + face.shape[0], 200 : 200 + face.shape[1]] = face
    return made


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)


def figure(*faces: np.ndarray, cmap: str = "gray", over: bool = False) -> np.ndarray:
    """Faces side by side, drawn by matplotlib, with a map over each as over the faces of the activation chapter."""
    fig, axes = plt.subplots(1, len(faces), figsize=(3.5 * len(faces), 3.5), squeeze=False)
    for ax, face in zip(axes[0], faces, strict=True):
        ax.imshow(face, cmap=cmap)
        ax.set_title("Positive, Asian (12 clips)")
        if over:
            y, x = np.mgrid[: face.shape[0], : face.shape[1]]
            ax.imshow(np.exp(-((y - 80) ** 2 + (x - 90) ** 2) / 4000), cmap="inferno", alpha=0.6)
    return png(fig)


def png(fig: plt.Figure) -> np.ndarray:
    content = io.BytesIO()
    fig.savefig(content, format="png", dpi=110)
    plt.close(fig)
    return cv2.imdecode(np.frombuffer(content.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)


def written_over(face: np.ndarray) -> np.ndarray:
    bar = cv2.rectangle(face.copy(), (60, 110), (230, 150), 255, -1)
    return cv2.putText(bar, "CONFIDENTIAL", (5, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 3)


def noisy(face: np.ndarray) -> np.ndarray:
    return np.clip(face + np.random.default_rng(0).normal(0, 20, face.shape), 0, 255).astype(np.uint8)


PLANTED = {
    "as it is": lambda: FACE,
    "another frame of the clip": lambda: APEX,
    "28 px": lambda: cv2.resize(FACE, (28, 28), interpolation=cv2.INTER_AREA),
    "64 px": lambda: wide(64),
    "three times as large": lambda: wide(3 * FACE.shape[1]),
    "64 px on a page": lambda: page(wide(64)),
    "96 px on a page": lambda: page(wide(96)),
    "200 px on a page": lambda: page(wide(200)),
    "JPEG of quality 10": lambda: jpeg(FACE, 10),
    "JPEG of quality 15, on a page": lambda: jpeg(page(wide(150)), 15),
    "eyes alone": lambda: APEX[100:210],
    "mouth alone": lambda: APEX[180:],
    "one half": lambda: APEX[:, :145],
    "the middle, on a page": lambda: page(wide(150)[30:130, 30:120]),
    "in a figure": lambda: figure(FACE),
    "twice in a figure": lambda: figure(FACE, APEX),
    "in false colours": lambda: figure(FACE, cmap="viridis"),
    "under a map": lambda: figure(FACE, over=True),
    "twice under a map": lambda: figure(FACE, APEX, over=True),
    "dark and pale": lambda: (APEX * 0.35 + 20).astype(np.uint8),
    "noisy": lambda: noisy(APEX),
    "written over": lambda: written_over(APEX),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_face_is_found(guard, planted):
    assert guard.look(planted()) == CLIP


def test_no_picture_of_simulated_people_is_taken_for_a_licensed_face(guard, tiny):
    ids = tiny.table.groupby("subject")["clip_id"].first()
    frames = {clip_id: [tiny.frames(clip_id, moment) for moment in ("onset", "apex")] for clip_id in ids}
    mean = np.mean(
        [cv2.resize(np.atleast_3d(pair[0])[..., 0], (168, 168)) for pair in frames.values()], axis=0
    )
    maps = {(label, group): np.eye(7) for label in ("Positive", "Surprise") for group in "AB"}
    rows = [(clip_id, *frames[clip_id]) for clip_id in ids[::3]]
    drawn = [
        dataset.filmstrip(rows, tiny),
        dataset.clips_mosaic(tiny.table, tiny),
        dataset.subjects_mosaic(tiny.table, tiny),
        activation.mean_maps(maps, {}, mean / 255, tiny),
    ]
    seen = [png(fig) for fig in drawn] + [np.atleast_3d(pair[1])[..., 0] for pair in frames.values()]
    assert [guard.look(np.ascontiguousarray(picture)) for picture in seen] == [None] * len(seen)


def test_a_face_of_somebody_else_is_told_from_one_that_must_not_be_seen():
    """Faces of one database are much alike, and some of its subjects may be shown."""
    rng = np.random.default_rng(3)
    common, *own = (cv2.GaussianBlur(rng.normal(size=(128, 112)), (0, 0), 3) for _ in range(9))
    people = [cv2.normalize(2 * common + one, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8) for one in own]
    guard = Guard({f"SAMM/{n:03d}/clip": one for n, one in enumerate(people[1:])})
    assert np.corrcoef(people[0].ravel(), people[1].ravel())[0, 1] > 0.7
    assert guard.look(people[0]) is None
    assert guard.look(noisy(people[1])) == "SAMM/000/clip"


def content(kind: str) -> bytes:
    """A face in a file of some kind."""
    image = cv2.imencode(".jpg" if kind == "page" else ".png", FACE)[1].tobytes()
    text = base64.encodebytes(image).decode()
    if kind == "page":
        return f"<p>A page</p><img src='data:image/jpeg;base64,{text}'>".replace("\n", "").encode()
    if kind == "notebook":
        return json.dumps({"outputs": [{"data": {"image/png": text}}]}).encode()
    if kind == "array":
        stack = np.stack(
            [np.zeros((3, 56, 56)), np.repeat(cv2.resize(FACE, (56, 56))[None] / 255.0, 3, axis=0)]
        )
        np.save(file := io.BytesIO(), stack.astype(np.float32))
        return file.getvalue()
    return image


@pytest.mark.parametrize("kind", ["page", "notebook", "array", "image"])
def test_a_face_is_found_in_every_kind_of_file(guard, tmp_path, kind):
    (tmp_path / "fine.html").write_text("<p>No picture</p>")
    assert guard.search(tmp_path).startswith("0 pictures in ")
    (tmp_path / "without_suffix").write_bytes(content(kind))
    with pytest.raises(
        StudyError, match=rf"without_suffix: picture \d is like a frame of the licensed clip {CLIP}; "
    ):
        guard.search(tmp_path)
    assert list(pictures(b"")) == list(pictures(b"text")) == []


def test_a_frame_says_whose_it_is_until_something_is_computed_from_it():
    frame = Frame.of(FACE.copy(), CLIP, shown=False)
    for kept in (frame[5:, 5:], frame.copy(), frame.T, frame.astype(np.float32)):
        with pytest.raises(
            StudyError, match=rf"clip {CLIP} is on its way into a figure; .*publishable=\[SAMM/006\]"
        ):
            refuse(kept, "into a figure")
    for computed in (frame / 255, frame.mean(axis=0), cv2.resize(frame, (28, 28)), np.stack([frame, frame])):
        refuse(computed, "into a figure")
    refuse(Frame.of(FACE, CLIP, shown=True), "into a figure")


def test_a_frame_goes_into_no_figure_and_no_run(workspace):
    real = SimpleNamespace(provenance=Provenance("CASME II + SAMM", False, ""))
    frame = Frame.of(FACE.copy(), CLIP, shown=False)
    cells = {("Positive", "A"): np.eye(7)}
    with pytest.raises(StudyError, match=f"frame of the licensed clip {CLIP}"):
        activation.mean_maps(cells, {}, frame, real)
    with pytest.raises(StudyError, match=f"{CLIP} is a frame of a licensed clip"):
        Run.open("step", code=("stats",), inputs={}).write("frame", frame)
    assert not list(workspace.rglob("*.npy"))
    for shown, images in ((False, 0), (True, 3)):
        pair = [Frame.of(FACE.copy(), CLIP, shown) for _ in range(2)]
        drawn = dataset.filmstrip([("Positive", *pair)], real)
        assert len([ax for ax in drawn.axes if ax.images]) == images


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A licensed copy with the face in one clip, as a source."""
    study = Study(tmp_path / "copy").write()
    for path in (study.samm / "006" / "006_1_2").glob("*.jpg"):
        cv2.imwrite(str(path), FACE)
    monkeypatch.setenv("ETHNICMER_CASME2", str(study.casme2))
    monkeypatch.setenv("ETHNICMER_SAMM", str(study.samm))
    return {"kind": "licensed", "casme2": "$ETHNICMER_CASME2", "samm": "$ETHNICMER_SAMM"}


def test_a_page_with_a_face_is_refused_unless_its_subject_may_be_shown(copy, monkeypatch):
    pages = {"book/mine.ipynb": content("notebook").decode()}
    guard = book._guard(source_of(copy))
    with pytest.raises(
        StudyError, match=rf"book/mine.ipynb: picture 1 is like .* {CLIP}; .*publishable=\[SAMM/006\]"
    ):
        book._refuse(guard, pages)
    with pytest.raises(StudyError, match="a frame of the licensed clip SAMM/006/006_1_2"):
        refuse(open_clips(copy).frames(CLIP, "apex"), "into a figure")
    named = copy | {"publishable": ["SAMM/006"]}
    clips, guard = open_clips(named), book._guard(source_of(named))
    refuse(clips.frames(CLIP, "apex"), "into a figure")
    assert guard.clips
    assert not [clip_id for clip_id in guard.clips if clip_id.startswith("SAMM/006/")]
    book._refuse(guard, pages)
    with pytest.raises(
        StudyError, match="publishable subject='SAMM/6' is unknown; allowed: CASME II/sub01, "
    ):
        open_clips(copy | {"publishable": ["SAMM/6"]})
    assert book._guard(source_of("tiny")) is None


def test_any_folder_can_be_searched_by_a_command(copy, tmp_path, monkeypatch):
    talk = tmp_path / "talk"
    words = ["data", "search", str(talk), "--data", "licensed"]
    call = functools.partial(CliRunner().invoke, cli.app, words, catch_exceptions=False)
    with pytest.raises(StudyError, match="talk is not a folder"):
        call()
    talk.mkdir()
    cv2.imwrite(str(talk / "empty.png"), np.full((300, 200), 255, np.uint8))
    assert "1 pictures in" in call().output
    cv2.imwrite(str(talk / "slide.png"), page(wide(200)))
    with pytest.raises(
        StudyError, match=rf"slide.png: picture 1 is like a frame of the licensed clip {CLIP}"
    ):
        call()
