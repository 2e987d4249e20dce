"""The command that asks the benchmark's networks about one clip of the reader's own, by two of its frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish.cli.options import from_clips, overrides

CAUTION = (
    "An exercise and no instrument: a network answers whatever it is shown, a blink or a turn of the head too. Do not "
    "use it on anybody who has not agreed, nor to judge anyone."
)


@from_clips
def predict(
    onset: Annotated[
        Path, typer.Argument(help="The face before it moves: an image, or with --frames a video.")
    ],
    apex: Annotated[
        Path | None, typer.Argument(help="The same crop at the peak of the movement, an image.")
    ] = None,
    frames: Annotated[
        tuple[int, int] | None, typer.Option(help="Onset and apex in the video, from 0.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also draw the motion that they saw, as PNG.")] = None,
    **options: Any,
) -> None:
    """What plain ResNet-18s that the benchmark chapter trains say of a clip of your own.

    One network a fold, each trained without some of the subjects, on the clips of --data or -p source=NAME. -p sets
    parameters of that chapter; what is trained already is not trained again.
    """
    from ethnicmer_lib.clips.table import LABELS
    from ethnicmer_lib.design import subject_folds
    from ethnicmer_lib.motion import extract, flow_image, optical_flow
    from ethnicmer_lib.networks import train_and_predict, trained
    from ethnicmer_lib.publish import chapters
    from ethnicmer_lib.sources import open_clips
    from ethnicmer_lib.stats import MACRO, scores

    p = chapters.resolve(chapters.chapter("benchmark"), overrides=overrides(**options))
    pair = two_frames(onset, apex, frames)
    clips = open_clips(p.source)
    if not clips.has_frames:
        raise StudyError(
            f"{clips.provenance.source}: its flow was computed by others from frames that are not there, so that yours "
            "cannot be computed alike; use a source with frames, --data simulated or licensed"
        )
    flow = optical_flow(*pair, p.flow_method)
    own = extract.resize(flow_image(flow, p.scaling), p.image_size)[None]
    images = extract.motion_images(clips, p.flow_method, p.scaling, p.image_size)
    splits = subject_folds(clips.table, p.folds, seed=p.seed)
    about = {"recipe": p.recipe, "weights": p.weights}
    held_out = train_and_predict(["resnet18"], images, None, clips, splits, seeds=[p.seed], **about)
    macro = scores(held_out, by=None, interval=True, seed=p.seed)[MACRO].iloc[0]
    networks = [
        trained("resnet18", images, clips, splits, seed=p.seed, number=k, **about) for k in range(len(splits))
    ]
    said = np.stack([_chances(network, own) for network in networks])
    for name, shares in zip(LABELS, said.T, strict=True):
        typer.echo(f"{name:<9} {shares.mean():.2f}   {shares.min():.2f} to {shares.max():.2f}, by network")
    typer.echo(
        f"{len(networks)} networks trained on: {clips.provenance.source}"
        f"{' (SIMULATED)' if clips.provenance.simulated else ''}. On subjects that they have not seen they reach a "
        f"macro F1 of {macro.value:.2f} [{macro.low:.2f}, {macro.high:.2f}]."
    )
    typer.echo(CAUTION)
    if out is not None:
        _draw(flow, onset.name, out)


def two_frames(onset: Path, apex: Path | None, frames: tuple[int, int] | None) -> list[np.ndarray]:
    """Onset and apex frame, (H, W) or (H, W, 3) RGB uint8, from two images or from a video and two frame numbers.

    StudyError, with the file and the frame, for what cannot be read, and unless it is one of the two.
    """
    from ethnicmer_lib.clips.folders import decode
    from ethnicmer_lib.clips.problems import KINDS

    if (apex is None) == (frames is None):
        raise StudyError("give two images, ONSET APEX, or a video with --frames ONSET APEX")
    if frames is not None:
        return [_of_video(onset, number) for number in frames]
    found = [decode(path) for path in (onset, apex)]
    for path, image in zip((onset, apex), found, strict=True):
        if isinstance(image, str):
            raise StudyError(f"{path}: {KINDS[image].meaning}; give an image file of the face")
    return found


def _of_video(path: Path, number: int) -> np.ndarray:
    video = cv2.VideoCapture(str(path))
    try:
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        there, frame = video.read()
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        video.release()
    if not there or number < 0:
        held = f"it holds frames 0 to {count - 1}" if count > 0 else "it is no video that OpenCV reads"
        raise StudyError(f"{path}: frame {number} cannot be read; {held}")
    return np.ascontiguousarray(frame[..., ::-1])


def _chances(network: Any, image: np.ndarray) -> np.ndarray:
    """(labels,) softmax of a network's decision on an image (1, 3, S, S)."""
    import torch

    with torch.inference_mode():
        return torch.softmax(network(torch.from_numpy(image)).decision.double(), dim=1)[0].numpy()


def _draw(flow: np.ndarray, name: str, out: Path) -> None:
    from ethnicmer_lib.motion import optical_strain
    from ethnicmer_lib.show.figures.motion import motion_panels
    from ethnicmer_lib.store import Provenance

    panels = [("", flow, optical_strain(flow))]
    motion_panels(panels, Provenance(f"a clip of your own, {name}", False, "")).savefig(out)
    typer.echo(f"its motion: {out}")
