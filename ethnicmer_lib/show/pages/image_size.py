"""The image size on the benchmark page: what larger images cost and whether they are worth it."""

from __future__ import annotations

from IPython.display import HTML

from ethnicmer_lib.evidence.image_size import COMMAND, SizeEvidence
from ethnicmer_lib.publish.old_parameters import Benchmark
from ethnicmer_lib.show import tables as notebook

DEFAULT = int(Benchmark.model_fields["image_size"].default)


def table(found: SizeEvidence | None) -> HTML:
    """Macro F1 and cost of every size, or how to record them."""
    if found is None:
        return HTML(
            f"<p class='note'>This table is not recorded yet: run <code>{COMMAND}</code> in a checkout.</p>"
        )
    rows = found.table()
    rows["f1"] = [notebook.with_interval(*one) for one in rows["f1"]]
    rows["change"] = ["–" if one is None else notebook.with_interval(*one) for one in rows["change"]]
    rows["minutes"] = [f"{minutes:.1f}" for minutes in rows["minutes"]]
    rows["share"] = [f"{share:.1%}" for share in rows["share"]]
    largest = rows["size"].max()
    return notebook.table(
        rows,
        "Plain ResNet-18 on the same clips, folds and seeds at every size.",
        found.provenance,
        columns={
            "size": "side, px",
            "f1": "macro F1",
            "change": f"difference to {largest} px",
            "minutes": "minutes on one core",
            "share": f"share of {largest} px",
        },
        note=_note(found),
    )


def _note(found: SizeEvidence) -> str:
    p = found.parameters
    folds = "leave one subject out" if p.folds == "loso" else f"{p.folds} folds of whole subjects"
    seeds = f"{p.n_seeds} seed{'s' * (p.n_seeds > 1)}"
    return (
        f"{p.epochs} epochs, {folds}, {seeds}; 95 % intervals from resampling subjects; the published images are "
        f"28 × 28, larger ones are interpolated. Made by <code>{found.command}</code> on "
        f"{found.made['machine']}."
    )


def sentence(found: SizeEvidence | None) -> str:
    """What follows for the default size; '' before anything is recorded."""
    if found is None:
        return ""
    rows = found.table().set_index("size")
    largest = rows.index.max()
    if DEFAULT not in rows.index or largest == DEFAULT:
        return ""
    change, share = rows.loc[DEFAULT, "change"], rows.loc[DEFAULT, "share"]
    differs = "differs from" if change.side else "does not differ beyond the interval from"
    return (
        f"At the default of {DEFAULT} px macro F1 {differs} that at {largest} px "
        f"({change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]), for {share:.0%} of the time."
    )
