"""What was computed is kept: sealed tables, arrays, recordings."""

from ethnicmer_lib.store.identity import digest, fingerprint, identity, weights_identity
from ethnicmer_lib.store.places import atomic, environment, lock, project_root, workspace
from ethnicmer_lib.store.provenance import Provenance, provenance_of
from ethnicmer_lib.store.recording import Recording, record, recorded_before, recording
from ethnicmer_lib.store.runs import Run, kept, used_runs
