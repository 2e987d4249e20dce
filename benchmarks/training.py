"""What training costs: images per second and share of the machine's matrix-multiply rate, beside a plain loop.

    python benchmarks/training.py                                 four variants at 112 and 224 px
    python benchmarks/training.py --variants resnet18 --sizes 48,112
    python benchmarks/training.py --quick                         one variant at 48 px
    python benchmarks/training.py --subjects 53,200,671           one fold as the cohort grows, with its memory
    python benchmarks/training.py --subjects 671 --most 256       its memory alone, in a minute
    python benchmarks/training.py --device cuda                   on a GPU (written, but not yet run on one)
    python benchmarks/training.py --device cuda --jobs 4          four folds at once on it

FLOPs are counted by PyTorch itself; the matrix-multiply rate is that of a large float32 product on all cores, measured
in the same run.  The engine trains folds side by side, one core each.  The plain loop is what a user would write: a
Dataset that reads and resizes its images fold by fold, a DataLoader, Adam, one process with PyTorch's own threads.
Both train the same networks on the same images with the same batch size.  The times of both are for whole folds,
the building of the network and, for the engine, the test included; processes are warm.

On a machine that does something else meanwhile, wall-clock times say little, and two threads that wait for each other
suffer more than two processes.  Shares of the matrix-multiply rate are therefore given twice: by the wall clock, and
by CPU time, FLOPs per CPU-second of both.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CLIPS_A_SUBJECT = 11.2  #: of DFME, which has 671 subjects
CLIPS = {28: 512, 48: 256, 56: 256, 112: 128, 224: 64}  #: trained a fold and epoch, so that it takes seconds
MATRIX = {"cpu": 3072, "cuda": 8192}
VARIANTS = ("resnet18", "dual_motion", "dual_rgb", "tinyvit")


@dataclass
class Spent:
    """Seconds in a function, added up."""

    seconds: float = 0.0

    def of(self, function):
        def timed(*args, **options):
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


@dataclass(frozen=True)
class Rate:
    """How much a second: by the wall clock, and by the CPU time of all cores that were used."""

    wall: float
    cpu: float


def matmul_rate(device: str, seconds: float = 3.0) -> Rate:
    """float32 FLOP/s of a large torch.mm with all threads: the best of several, and per CPU-second and core."""
    import torch

    n = MATRIX[device]
    a, b = torch.rand(2, n, n, device=device).unbind()
    torch.mm(a, b)
    best, least, end = float("inf"), float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start, used = time.perf_counter(), time.process_time()
        torch.mm(a, b)
        wait_for(device)
        best = min(best, time.perf_counter() - start)
        least = min(least, time.process_time() - used)
    return Rate(2 * n**3 / best, 2 * n**3 / least)


def measured(task, data):
    """A fold, with its CPU time in place of its wall-clock time."""
    from ethnicmer_lib.networks.fold_task import predicted

    used = time.process_time()
    done = predicted(task, data)
    return done._replace(seconds=[time.process_time() - used])


def wait_for(device: str) -> None:
    """Until a GPU has done what it was given."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def flops_per_image(variant: str, size: int, batch: int = 4) -> float:
    """FLOPs of one image's share of a training step, counted."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ethnicmer_lib.networks.models import build_network, loss

    model = build_network(variant).train()
    images = torch.rand(batch, 3, size, size)
    label = torch.arange(batch) % 2
    with FlopCounterMode(display=False) as counter:
        loss(model(images, images), label, label).backward()
    return counter.get_total_flops() / batch


def cohort(subjects: int, per_subject: float):
    """A clips table without any meaning."""
    import pandas as pd

    from ethnicmer_lib.clips.table import LABELS

    n = round(subjects * per_subject)
    subject = np.array([f"s{i * subjects // n:03d}" for i in range(n)])
    group = np.where(np.arange(n) % 2, "A", "B")
    return pd.DataFrame(
        {"clip_id": [f"c{i}" for i in range(n)], "subject": subject, "database": "none"}
    ).assign(label=np.array(LABELS)[np.arange(n) % 3], group=group)


def tasks_of(variant: str, data, folds: int, epochs: int):
    """The folds of a variant by the recipe of Table V."""
    from ethnicmer_lib.networks import AS_DESCRIBED, Recipe
    from ethnicmer_lib.networks.fold_task import Task, trainings

    recipe = Recipe(epochs=epochs)
    cuts = enumerate(split(data.table, folds))
    return trainings(Task(variant, AS_DESCRIBED, recipe, "none", 0, number, cut, "") for number, cut in cuts)


def split(clips, count: int, held_out: int = 5):
    """``count`` folds of all clips but a few."""
    rows = np.arange(len(clips))
    parts = (rows[i * held_out : (i + 1) * held_out] for i in range(count))
    return [(np.setdiff1d(rows, test), test) for test in parts]


def engine_rate(variant: str, data, size: int, jobs: int, epochs: int) -> Rate:
    """Images a second of the engine, and per CPU-second: one fold a process."""
    from ethnicmer_lib.networks import where

    tasks = tasks_of(variant, data, jobs, epochs)
    engine = where.engine("serial" if jobs == 1 else f"processes:{jobs}")
    start = time.perf_counter()
    done = list(where.run(engine, measured, tasks, data))
    seconds = time.perf_counter() - start
    images = sum(len(one.task.tasks[0].fold[0]) for one in done) * epochs
    return Rate(images / seconds, images / sum(sum(one.seconds) for one in done))


def preparation_share(variant: str, data, size: int, epochs: int) -> float:
    """Share of a fold's time that goes into images: checking, sharing out, gathering batches."""
    from ethnicmer_lib.networks import fold_task, training

    spent = Spent()
    before = training.prepare, training.Inputs.batch
    training.prepare, training.Inputs.batch = map(spent.of, before)
    try:
        (task,) = tasks_of(variant, data, 1, epochs)
        whole = sum(fold_task.predicted(task, data).seconds)
        return spent.seconds / whole
    finally:
        training.prepare, training.Inputs.batch = before


def plain_rate(variant: str, files: list[Path], clips, size: int, device: str, epochs: int) -> float:
    """Images a second of a training loop as a user would write it; one fold."""
    import cv2
    import torch
    from torch.utils.data import DataLoader, Dataset

    from ethnicmer_lib.networks.models import build_network, loss

    class Clips(Dataset):
        def __init__(self, rows):
            self.images = [
                torch.from_numpy(cv2.resize(cv2.imread(str(files[i])), (size, size))).permute(2, 0, 1).float()
                / 255
                for i in rows
            ]
            self.labels = [int(i) % 3 for i in rows]
            self.groups = [int(i) % 2 for i in rows]

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            return self.images[i], self.labels[i], self.groups[i]

    trained, start = 0, time.perf_counter()
    for train, _ in split(clips, 1):
        loader = DataLoader(Clips(train), batch_size=32, shuffle=True)
        model = build_network(variant).to(device).train()
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(epochs):
            for images, labels, groups in loader:
                images, labels, groups = images.to(device), labels.to(device), groups.to(device)
                optimiser.zero_grad()
                value = loss(model(images, images), labels, groups)
                value.backward()
                optimiser.step()
                value.item()  # whoever writes such a loop also prints the loss
                trained += len(images)
    wait_for(device)
    return trained / (time.perf_counter() - start)


def compare(variants: list[str], sizes: list[int], device: str, jobs: int, epochs: int, repeats: int) -> None:
    """Print a row a variant and size: the best of ``repeats`` turns of the engine and of the plain loop."""
    import cv2

    from ethnicmer_lib.networks.fold_task import Data

    product = matmul_rate(device)
    print(
        f"float32 matrix product: {product.wall / 1e9:.1f} GFLOP/s on {device}, {threads(device)}, "
        f"{product.cpu / 1e9:.1f} GFLOP per CPU-second; the engine has {jobs} process{'es' * (jobs > 1)}"
    )
    if (busy := os.getloadavg()[0]) > 0.7:
        print(f"this machine does something else, too (load {busy:.1f}): wall-clock figures are not its own")
    heads = ("GFLOP/image", "images/s", "of matmul", "by CPU time", "plain loop", "ratio", "preparation")
    print(f"{'variant':<13}{'px':>4}" + "".join(f"{head:>13}" for head in heads), flush=True)
    rng = np.random.default_rng(0)
    for size in sizes:
        clips = cohort(CLIPS.get(size, 64), 1)
        images = rng.random((len(clips), 3, size, size), dtype=np.float32)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{i}.png" for i in range(len(clips))]
            for file in files:
                noise = rng.integers(0, 255, (28, 28, 3)).astype(np.uint8)
                cv2.imwrite(str(file), cv2.resize(noise, (280, 280)))
            for variant in variants:
                data = Data(clips, images, images if variant in ("dual_rgb", "tinyvit") else None)
                few = Data(clips[:24], images[:24], None if data.faces is None else images[:24])
                rates, plain, products = [], [], [product]
                for _ in range(repeats):
                    engine_rate(variant, few, size, jobs, 1)  # processes start, or are still there
                    rates.append(engine_rate(variant, data, size, jobs, epochs))
                    plain.append(plain_rate(variant, files, clips, size, device, epochs))
                    products.append(matmul_rate(device, 1))
                flops = flops_per_image(variant, size)
                wall, cpu = max(one.wall for one in rates), max(one.cpu for one in rates)
                of_wall = wall * flops / max(one.wall for one in products)
                of_cpu = cpu * flops / max(one.cpu for one in products)
                share = preparation_share(variant, data, size, 1)
                cells = (f"{flops / 1e9:.2f}", f"{wall:.1f}", f"{of_wall:.1%}", f"{of_cpu:.1%}")
                cells += (f"{max(plain):.1f}", f"{wall / max(plain):.2f}", f"{share:.2%}")
                print(f"{variant:<13}{size:>4}" + "".join(f"{cell:>13}" for cell in cells), flush=True)


def threads(device: str) -> str:
    """Where the matrix product ran, in words."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"


def growth(counts: list[int], size: int, most: int) -> None:
    """Print a row a cohort: one fold of ResNet-18, one epoch, in a process of its own, and the most memory it had."""
    if most:
        print(f"every fold trains on {most} clips at most; all images of the cohort are there and looked at")
    print(
        f"one fold of resnet18, one epoch, {size} px, one core; peak memory is the process's own, images included"
    )
    print(
        f"{'subjects':>9}{'clips':>7}{'images, MB':>12}{'trained':>9}{'CPU-s':>9}{'ms/image':>10}{'peak, MB':>10}"
    )
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.npy"
            n = round(count * CLIPS_A_SUBJECT)
            images = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, 3, size, size))
            rng = np.random.default_rng(0)
            for i in range(n):
                images[i] = rng.random((3, size, size), dtype=np.float32)
            images.flush()
            del images
            words = [
                sys.executable,
                __file__,
                "--one-fold",
                str(path),
                "--subjects",
                str(count),
                "--most",
                str(most),
            ]
            subprocess.run(words, check=True)


def one_fold(path: Path, subjects: int, most: int) -> None:
    """The row of one cohort; in the process that is measured."""
    from ethnicmer_lib.networks import AS_DESCRIBED, Recipe
    from ethnicmer_lib.networks.fold_task import Data, Task, Training

    images = np.load(path, mmap_mode="r")
    clips = cohort(subjects, CLIPS_A_SUBJECT)
    test = np.flatnonzero(clips["subject"] == "s000")
    train = np.setdiff1d(np.arange(len(clips)), test)
    train = train[:: max(1, len(train) // most)] if most else train
    recipe = Recipe(epochs=1)
    task = Task("resnet18", AS_DESCRIBED, recipe, "none", 0, 0, (train, test), "")
    (seconds,) = measured(Training((task,)), Data(clips, images)).seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{subjects:>9}{len(clips):>7}{images.nbytes / 1e6:>12.0f}{len(train):>9}{seconds:>9.1f}"
        f"{1000 * seconds / len(train):>10.2f}{peak:>10.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", default=",".join(VARIANTS), help="comma-separated")
    parser.add_argument("--sizes", default="112,224", help="px, comma-separated")
    parser.add_argument("--epochs", type=int, default=2, help="of every fold that is timed")
    parser.add_argument(
        "--repeats", type=int, default=2, help="turns of engine and plain loop; the best counts"
    )
    parser.add_argument(
        "--jobs", type=int, help="processes of the engine, one fold each; default: one a core, on a GPU 1"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="resnet18 at 48 px, once")
    parser.add_argument(
        "--subjects", metavar="COUNTS", help="cost of a fold in cohorts of these sizes instead"
    )
    parser.add_argument("--most", type=int, default=0, help="with --subjects: train on so many clips at most")
    parser.add_argument("--one-fold", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = (
            ""  # before torch is imported: the engine takes a GPU where it is
        )
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("error: --device cuda, but PyTorch finds no GPU here; use --device cpu")
    variants, sizes = options.variants.split(","), [int(size) for size in options.sizes.split(",")]
    if unknown := set(variants) - set(VARIANTS):
        raise SystemExit(f"error: no variant {', '.join(sorted(unknown))}; variants: {', '.join(VARIANTS)}")
    if options.one_fold:
        one_fold(options.one_fold, int(options.subjects), options.most)
    elif options.subjects:
        growth([int(count) for count in options.subjects.split(",")], sizes[0], options.most)
    elif options.quick:
        compare(["resnet18"], [48], options.device, min(options.jobs or 2, 2), 1, 1)
    else:
        jobs = options.jobs or (1 if options.device == "cuda" else os.cpu_count())
        compare(variants, sizes, options.device, jobs, options.epochs, options.repeats)


if __name__ == "__main__":
    main()
