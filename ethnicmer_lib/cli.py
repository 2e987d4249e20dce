"""The command line: build the book, re-run a chapter, list parameters."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from ethnicmer_lib import __version__
from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.simulator.knobs import described
from ethnicmer_lib.simulator.settings import SimulatorSettings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An executable reproduction of 'Is Micro-expression Ethnic Leaning?'",
)
data_app = typer.Typer(no_args_is_help=True, help="Check and annotate your own copies of the databases.")
app.add_typer(data_app, name="data")


class Source(StrEnum):
    """Where the clips come from."""

    simulated = "simulated"
    flow = "flow"
    licensed = "licensed"


Data = Annotated[Source, typer.Option("--data", help="Where the clips come from.")]
Profile = Annotated[str, typer.Option(help="How much to compute; see ethnicmer_lib/profiles.yml.")]
Changes = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="name=value or chapter.name=value; repeatable.")
]
FlowDir = Annotated[Path | None, typer.Option(help="Folder of the published flow features (--data flow).")]
Casme2 = Annotated[Path | None, typer.Option("--casme2", help="Your CASME II folder (--data licensed).")]
Samm = Annotated[Path | None, typer.Option("--samm", help="Your SAMM folder (--data licensed).")]


def _overrides(
    changes: list[str] | None, data: Source, flow_dir: Path | None, casme2: Path | None, samm: Path | None
) -> dict[str, Any]:
    from ethnicmer_lib import study

    values = study.typed(changes or [])
    if data is not Source.simulated:
        values["data"] = data.value
    for name, path in {"flow_dir": flow_dir, "casme2_dir": casme2, "samm_dir": samm}.items():
        if path is not None:
            values[name] = str(path.expanduser().resolve())
    return values


@app.command()
def build(
    data: Data = Source.simulated,
    profile: Profile = "quick",
    parameter: Changes = None,
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> None:
    """Compute every chapter that the data allow and render the website; only what changed is done again."""
    from ethnicmer_lib import book

    site = book.build(profile, _overrides(parameter, data, flow_dir, casme2, samm))
    typer.echo(f"the site: {site / 'index.html'}")


@app.command()
def rerun(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter, for example prima_facie.")],
    parameter: Changes = None,
    data: Data = Source.simulated,
    profile: Profile = "quick",
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> None:
    """Run one chapter with other parameters; prints the folder with its notebook, page and results."""
    from ethnicmer_lib import book

    folder = book.rerun(chapter, profile, _overrides(parameter, data, flow_dir, casme2, samm))
    typer.echo(f"notebook: {folder / (chapter + '.ipynb')}")
    typer.echo(f"page:     {folder / 'html' / 'book' / (chapter + '.html')}")
    typer.echo(f"results:  {folder / 'results'}")


@app.command()
def params(
    chapter: Annotated[str, typer.Argument(help="Name of the chapter.")], profile: Profile = "quick"
) -> None:
    """Print a chapter's parameters: name, value in the profile, default, what is allowed, meaning."""
    from ethnicmer_lib import study
    from ethnicmer_lib.parameters import allowed

    one = study.chapter(chapter)
    values = study.resolve(one, profile)
    rows = [("name", profile, "default", "allowed", "meaning")]
    for name, field in one.model.model_fields.items():
        rows.append(
            (
                name,
                str(getattr(values, name)),
                str(field.default),
                allowed(one.model, name),
                str(field.description),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        typer.echo(
            "  ".join(text.ljust(width) for text, width in zip(row[:4], widths, strict=True)) + "  " + row[4]
        )


@app.command()
def record(
    name: Annotated[str, typer.Argument(help="Name of the recording, for example flow.")],
    parameter: Changes = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="'prima_facie', 'benchmark' or 'controls' (Table V's, with the benchmark's parameters); "
            "repeatable; default the first two. Other parts that lie there stay."
        ),
    ] = None,
    data: Data = Source.flow,
    profile: Profile = "paper",
    flow_dir: FlowDir = None,
    casme2: Casme2 = None,
    samm: Samm = None,
) -> None:
    """Run chapters at length and keep their predictions in results/NAME, to be committed."""
    from ethnicmer_lib import recorded

    parts = part or recorded.CHAPTERS
    options = [
        *(f"--part {one}" for one in part or []),
        f"--profile {profile}",
        f"--data {data.value}",
        *(f"-p {change}" for change in parameter or []),
    ]
    command = " ".join(["ethnicmer record", name, *options])
    folder = recorded.save(name, profile, _overrides(parameter, data, flow_dir, casme2, samm), command, parts)
    typer.echo(f"recorded: {folder}")


@app.command()
def table_iv(
    flow_dir: Annotated[Path, typer.Option(help="Folder of the published flow features.")],
    draws: Annotated[int, typer.Option(help="Draws of subjects.")] = 200,
    forest_draws: Annotated[int, typer.Option(help="Draws for the forest that the paper describes.")] = 200,
    control_draws: Annotated[int, typer.Option(help="Draws for every other forest; they are slow.")] = 20,
    permutations: Annotated[int, typer.Option(help="Permutations of the groups per test.")] = 199,
    image_size: Annotated[int, typer.Option(help="Side of the image given to ResNet-18, in px.")] = 56,
) -> None:
    """Record in results/table_iv what Table IV becomes under every control and switch, on the real features."""
    from ethnicmer_lib import table_iv
    from ethnicmer_lib.parameters import PrimaFacie

    values = {"data": "flow", "flow_dir": flow_dir, "n_draws": draws, "image_size": image_size}
    command = (
        f"ethnicmer table-iv --flow-dir FOLDER --draws {draws} --forest-draws {forest_draws} "
        f"--control-draws {control_draws} --permutations {permutations} --image-size {image_size}"
    )
    p = PrimaFacie.check(values)
    typer.echo(f"recorded: {table_iv.save(p, permutations, forest_draws, control_draws, command)}")


@app.command()
def evidence(
    flow_dir: Annotated[Path, typer.Option(help="Folder of the published flow features.")],
    part: Annotated[
        list[str] | None, typer.Option(help="'traces' or 'realism'; repeatable; default both.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default one per core.")] = None,
) -> None:
    """Record in results/simulator how real the simulated motion is, and whether anything tells the groups apart."""
    from ethnicmer_lib import simulator_evidence

    typer.echo(f"recorded: {simulator_evidence.save(flow_dir, part or simulator_evidence.PARTS, jobs=jobs)}")


@app.command()
def calibrate(
    tables: Annotated[int, typer.Option(help="Simulated tables for each choice of subjects.")] = 1000,
    resamples: Annotated[int, typer.Option(help="Resamples or permutations for each.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the tables.")] = 0,
    record: Annotated[bool, typer.Option("--record", help="Keep the outcome in results/statistics.")] = False,
) -> None:
    """Print how often intervals hold the truth and tests reject it, on simulated tables of the real subjects."""
    from ethnicmer_lib import calibration, calibration_record

    started = time.perf_counter()
    rows = calibration_record.measure(tables, resamples, seed)
    for line in calibration.lines(calibration_record.summarise(rows)):
        typer.echo(line)
    typer.echo(f"{tables} tables, {resamples} resamples: {time.perf_counter() - started:.0f} s")
    if record:
        command = f"ethnicmer calibrate --tables {tables} --resamples {resamples} --seed {seed} --record"
        typer.echo(f"recorded: {calibration_record.save(rows, resamples, seed, command)}")


@app.command("motion-evidence")
def motion_evidence(
    part: Annotated[
        list[str] | None, typer.Option(help="'accuracy' or 'downstream'; repeatable; default both.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default one per core.")] = None,
) -> None:
    """Record in results/motion how accurate each flow method is, and what a forest recognises from its motion."""
    from ethnicmer_lib import motion_evidence

    typer.echo(f"recorded: {motion_evidence.save(part or motion_evidence.PARTS, jobs=jobs)}")


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of SimulatorSettings, described by that class's docstring."""
    texts = described()
    types = get_type_hints(SimulatorSettings)
    options = []
    for field in dataclasses.fields(SimulatorSettings):
        several = isinstance(field.default, tuple)  # of these the option is repeated
        about = typer.Option(help=texts.get(field.name, "") + " Repeatable." * several)
        kind = list[str] | None if several else types[field.name]
        default = None if several else field.default
        options.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[kind, about],
            )
        )
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=own + options)
    return command


@app.command()
@_with_settings
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; a cohort of the same settings is completed.")],
    frames: Annotated[
        Literal["three", "all"], typer.Option(help="Onset, apex and offset, or every frame of a clip.")
    ] = "three",
    around: Annotated[int, typer.Option(help="Also this many frames before and after onset and apex.")] = 0,
    clip: Annotated[
        list[str] | None,
        typer.Option(help="Only of this clip more than three frames, as 'SAMM/001/001_1_1'; repeatable."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes, about 0.4 GB each; default as many as serve, at most 4.")
    ] = None,
    **settings: Any,
) -> None:
    """Write a simulated cohort in the folder layouts of CASME II and SAMM, with its true motion."""
    from ethnicmer_lib.simulator.write import write_cohort

    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
        if value is not None
    }
    chosen = SimulatorSettings(**given)
    write_cohort(out, chosen, frames=frames, around=around, clips=clip, jobs=jobs, progress=True)
    count = len(list(out.rglob("*.jpg")))
    folders = [shlex.quote(str(out / name)) for name in ("CASME2", "SAMM")]
    typer.echo(
        f"{out}: a simulated cohort with {count} frames; to build the book on it: "
        f"ethnicmer build --data licensed --casme2 {folders[0]} --samm {folders[1]}"
    )


@data_app.command("check")
def data_check(
    casme2: Casme2 = None,
    samm: Samm = None,
    annotations: Annotated[Path | None, typer.Option(help="CSV of group labels per clip.")] = None,
    parameter: Changes = None,
    every: Annotated[bool, typer.Option("--all", help="List every problem, not ten of each kind.")] = False,
    table: Annotated[Path | None, typer.Option(help="Also write the problems as a CSV there.")] = None,
) -> None:
    """Check your folders of CASME II and SAMM: what is there, what is wrong, what to do, and a fingerprint.

    Exit code 0: nothing to say; 1: the study can run, with what is listed; 2: it cannot run yet. A policy given with
    -p (apex, missing_apex, missing_frames, frame_sizes, double_rows, coding_file, casme2_frames) is judged by.
    """
    from ethnicmer_lib import study
    from ethnicmer_lib.cohort.check import check
    from ethnicmer_lib.parameters import CohortParameters

    policies = CohortParameters.check({**study.typed(parameter or []), "data": "licensed"})
    report = check(casme2, samm, annotations, policies, progress=True)
    typer.echo(report.text(None if every else 10))
    if table is not None:
        report.table().to_csv(table, index=False)
    raise typer.Exit(report.exit_code)


@data_app.command("annotate")
def data_annotate(
    checkpoint: Annotated[Path, typer.Option(help="The published FaceXFormer model file.")],
    out: Annotated[Path, typer.Option(help="Records to write, .csv or .parquet.")],
    data: Data = Source.simulated,
    casme2: Casme2 = None,
    samm: Samm = None,
    parameter: Changes = None,
    moment: Annotated[Literal["onset", "apex"], typer.Option(help="The frame to look at.")] = "onset",
    casme2_faces: Annotated[
        str, typer.Option(help="'whole' frame if cropped, 'yunet', 'cascade'.")
    ] = "whole",
    samm_faces: Annotated[str, typer.Option(help="The same for SAMM.")] = "whole",
    face_model: Annotated[Path | None, typer.Option(help="Model file of 'yunet' or 'cascade'.")] = None,
    groups: Annotated[Path | None, typer.Option(help="Also write groups, for -p annotations=FILE.")] = None,
    context: Annotated[Literal["ethnicity", "gender", "age"], typer.Option(help="Of groups.")] = "ethnicity",
    corrections: Annotated[Path | None, typer.Option(help="Corrected ethnic codes, for groups.")] = None,
) -> None:
    """Annotate ethnicity, gender and age of every kept clip with FaceXFormer; interrupted, it goes on from there."""
    from ethnicmer_lib import annotation_command

    overrides = _overrides(parameter, data, None, casme2, samm)
    faces = {"casme2": casme2_faces, "samm": samm_faces}
    for line in annotation_command.run(
        overrides, checkpoint, out, moment, faces, face_model, groups, context, corrections
    ):
        typer.echo(line)


@app.command()
def cells() -> None:
    """Write every chapter's parameters cell from its model, after a change of parameters or profile."""
    from ethnicmer_lib import book

    for path in book.write_parameter_cells():
        typer.echo(f"updated {path}")


@app.command()
def version() -> None:
    """Print the library's version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point: a mistake in the input is one line on stderr, not a traceback."""
    try:
        app(standalone_mode=True)
    except StudyError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was computed is kept, the same command goes on from there\n")
        sys.exit(130)
