"""Grad-CAM maps of clips that the network has not seen, fold by fold (Section IV-C, Figs 3-4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from tqdm import tqdm

from ethnicmer_lib.clips.table import LABELS
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.networks.map_side import map_side
from ethnicmer_lib.networks.models import EthnicNet
from ethnicmer_lib.networks.training import Fold, TrainingSettings, predict, prepare, train_fold
from ethnicmer_lib.store.old_runs import Run

VARIANT = "resnet18"  #: plain ResNet-18 without ethnic context, as in the paper
_BATCH = 32


def class_activation_maps(
    model: EthnicNet, images: np.ndarray, targets: Sequence[int] | np.ndarray, layer: str = "layer4"
) -> np.ndarray:
    """Where the emotion branch found evidence for a class (Grad-CAM; Selvaraju et al. 2017).

    The maps of the stage are weighted by the mean gradient of the target's logit, summed, cut at zero, enlarged
    to the image (bilinear) and stretched to [0, 1] clip by clip; so a map shows where, never how much.

    Parameters
    ----------
    model : network whose emotion backbone is a ResNet-18; put into eval mode.
    images : (n, 3, S, S) float32 optical flow images.
    targets : (n,) class numbers, places in ``LABELS``.
    layer : 'layer3' or 'layer4'.

    Returns
    -------
    (n, S, S) float32 in [0, 1]; all zeros for a clip without positive evidence, or with the same everywhere.

    Raises
    ------
    StudyError
        Unknown layer, images too small for it, or targets that do not match the images.
    """
    if images.ndim != 4 or len(targets) != len(images):
        raise StudyError(f"images are {images.shape} for {len(targets)} targets; give one target per image")
    map_side(layer, images.shape[-1])
    device = next(model.parameters()).device
    maps = np.empty((len(images), *images.shape[2:]), dtype=np.float32)
    cam = GradCAM(_Emotion(model), [getattr(model.emotion, layer)])
    try:  # not as a context manager: GradCAM's own would swallow an IndexError
        with torch.enable_grad():
            for start in range(0, len(images), _BATCH):
                rows = slice(start, start + _BATCH)
                batch = torch.from_numpy(np.array(images[rows], dtype=np.float32)).to(device)
                wanted = [ClassifierOutputTarget(int(target)) for target in targets[rows]]
                maps[rows] = cam(batch, wanted)
    finally:
        cam.activations_and_grads.release()
    model.zero_grad(set_to_none=True)
    return np.clip(maps, 0, 1)


def held_out_maps(
    motion: np.ndarray,
    clips: pd.DataFrame,
    folds: Sequence[Fold],
    labels: Sequence[str],
    settings: TrainingSettings,
    layer: str,
    run: Run,
    progress: bool = False,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Maps of the clips with some labels, each from a plain ResNet-18 that has not seen the clip's subject.

    The target is the predicted class, as released.  Finished folds are kept in ``run`` and a killed run
    resumes; a fold that tests no such clip is not trained.

    Parameters
    ----------
    motion : (n, 3, S, S) float32, row i for row i of ``clips``.
    labels : which clips get a map.
    run : its key must tell apart everything above.

    Returns
    -------
    maps : (m, S, S) float32 in [0, 1].
    table : clip_id and predicted label of every map, in the order of ``clips``.
    """
    prepared = cache(lambda: prepare(VARIANT, motion, None, clips))
    wanted = clips["label"].isin(list(labels)).to_numpy()
    kept = [(number, train, test[wanted[test]]) for number, (train, test) in enumerate(folds)]
    kept = [fold for fold in kept if len(fold[2])]
    if not kept:
        raise StudyError(f"no clip labelled {' or '.join(labels)} is tested in any fold; nothing has a map")
    parts = []
    total = len(kept) * settings.epochs
    with tqdm(total=total, desc="activation maps", unit="epoch", disable=not progress) as bar:
        for done, (number, train, test) in enumerate(kept, start=1):

            @cache
            def model(number: int = number, train: np.ndarray = train) -> EthnicNet:
                return train_fold(VARIANT, prepared(), train, settings, number, on_epoch=bar.update)

            def predictions(test: np.ndarray = test, model=model) -> pd.DataFrame:
                code = predict(model(), prepared(), test, settings.batch_size).decision.argmax(1).numpy()
                return clips.iloc[test][["clip_id"]].assign(predicted=np.asarray(LABELS, dtype=object)[code])

            table = run.table(f"fold{number:03d}", predictions)

            def maps(test: np.ndarray = test, table: pd.DataFrame = table, model=model) -> np.ndarray:
                targets = [LABELS.index(label) for label in table["predicted"]]
                return class_activation_maps(model(), motion[test], targets, layer)

            parts.append((test, run.array(f"fold{number:03d}-maps", maps), table))
            bar.update(done * settings.epochs - bar.n)  # a fold that was there already
    order = np.argsort(np.concatenate([test for test, _, _ in parts]), kind="stable")
    table = pd.concat([table for _, _, table in parts], ignore_index=True)
    return np.concatenate([maps for _, maps, _ in parts])[order], table.iloc[order].reset_index(drop=True)


class _Emotion(nn.Module):
    """Images to the emotion logits alone, the form that Grad-CAM takes."""

    def __init__(self, model: EthnicNet):
        super().__init__()
        self.model = model

    def forward(self, motion: Tensor) -> Tensor:
        return self.model.emotion_head(self.model.emotion(motion))
