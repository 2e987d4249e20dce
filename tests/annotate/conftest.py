"""One network and one checkpoint file for all tests of this folder: they are 370 MB each."""

from __future__ import annotations

import pytest
import torch
from golden_weights import golden_state

from ethnicmer_lib.annotate.facexformer.checkpoint import KEY, load
from ethnicmer_lib.annotate.facexformer.network import FaceXFormer


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A file like the published one, with the weights of the golden outputs."""
    with torch.device("meta"):
        network = FaceXFormer()
    path = tmp_path_factory.mktemp("facexformer") / "model.pt"
    torch.save({KEY: golden_state(network)}, path)
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def network(checkpoint):
    return load(checkpoint)
