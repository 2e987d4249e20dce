"""Notes of a run: what was planned is added up, and a run without notes has empty ones."""

from __future__ import annotations

from ethnicmer_lib.clips.table import Provenance
from ethnicmer_lib.store import old_notes as run_notes
from ethnicmer_lib.store.old_runs import Run


def test_notes_add_up_and_change_no_key(workspace):
    def opened() -> Run:
        return Run.open("benchmark", module="ethnicmer_lib.errors", cohort="c", parameters={})

    run = opened()
    assert run_notes.read(run.path) == run_notes.Notes()
    source = Provenance("clips", True, "c")
    run_notes.write(run, source, {"a": 3})
    run_notes.write(run, source, {"b": 5})
    assert run_notes.read(run.path) == run_notes.Notes("clips", True, {"a": 3, "b": 5})
    assert opened().key == run.key
