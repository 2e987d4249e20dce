"""Frames a second of the FaceXFormer annotator beside a plain loop, on simulated faces and random weights.

    python benchmarks/annotation.py                   16 frames by every way, on all cores
    python benchmarks/annotation.py --frames 40       more of them
    python benchmarks/annotation.py --ways plain      some of the ways

Weights are random (the pace does not depend on them), frames 280x340 px noise; the clock starts at decoded frames.
'plain' is one frame at a time, all outputs, all cores on one frame. 'cpu s' is what all cores worked for a frame: on a
machine that others use, too, it says more than the wall clock.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch

from ethnicmer_lib.annotate import annotation
from ethnicmer_lib.annotate.facexformer.network import FaceXFormer
from ethnicmer_lib.annotate.facexformer.pixels import prepare
from ethnicmer_lib.clips.faces import open_detector

CORES = os.cpu_count() or 1


def plain(network: FaceXFormer, frames: list[np.ndarray], batch: int) -> list[np.ndarray]:
    """The obvious loop: one frame, every output."""
    find = open_detector("whole").find
    torch.set_num_threads(CORES)
    with torch.no_grad():
        return [network(prepare(f, find(f).box)[None])["race"].softmax(1).numpy() for f in frames]


def batched(network: FaceXFormer, frames: list[np.ndarray], batch: int) -> list[np.ndarray]:
    """Batches, only the three outputs, all cores on one batch."""
    torch.set_num_threads(CORES)
    return [one(network, frames[i : i + batch]) for i in range(0, len(frames), batch)]


def threads(network: FaceXFormer, frames: list[np.ndarray], batch: int) -> list[np.ndarray]:
    """What ``annotate`` does: batches, only the three outputs, one core for each batch."""
    with annotation._workers() as pool:
        return list(
            pool.map(partial(one, network), [frames[i : i + batch] for i in range(0, len(frames), batch)])
        )


def single(network: FaceXFormer, frames: list[np.ndarray], batch: int) -> list[np.ndarray]:
    """Batches, only the three outputs, one core altogether."""
    with ThreadPoolExecutor(1, initializer=partial(torch.set_num_threads, 1)) as pool:
        return list(
            pool.map(partial(one, network), [frames[i : i + batch] for i in range(0, len(frames), batch)])
        )


def one(network: FaceXFormer, frames: list[np.ndarray]) -> np.ndarray:
    find = open_detector("whole").find
    return annotation.probabilities(network, torch.stack([prepare(f, find(f).box) for f in frames]))["race"]


WAYS = {
    "plain": (plain, 1),
    "batched": (batched, 4),
    "single": (single, 4),
    "threads": (threads, annotation.BATCH),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument(
        "--plain", type=int, default=4, help="frames of 'plain' and 'batched', which can be slow"
    )
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (340, 280, 3), np.uint8) for _ in range(given.frames)]
    torch.manual_seed(0)
    network = annotation.on_device(FaceXFormer().eval().requires_grad_(False))
    print(f"{len(frames)} frames on {CORES} cores, torch {torch.__version__}, float32")
    print(
        f"{'way':<8} {'batch':>5} {'frames/s':>9} {'cpu s/frame':>12} {'frames/s if alone':>18} {'off by':>9}"
    )
    first = None
    for name in given.ways:
        way, batch = WAYS[name]
        some = frames[: given.plain] if name in ("plain", "batched") else frames
        way(network, frames[:1], batch)  # what is done once is not counted
        wall, work = time.perf_counter(), time.process_time()
        found = np.concatenate(way(network, some, batch))
        wall, work = time.perf_counter() - wall, time.process_time() - work
        first = found if first is None or len(found) > len(first) else first
        both = min(len(first), len(found))
        alone = f"{CORES * len(some) / work:18.2f}"
        pace = f"{len(some) / wall:9.2f} {work / len(some):12.2f} {alone}"
        print(f"{name:<8} {batch:>5} {pace} {np.abs(found[:both] - first[:both]).max():9.1e}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"'if alone': cores / (cpu s/frame), the pace when no one else uses the cores; peak memory {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
