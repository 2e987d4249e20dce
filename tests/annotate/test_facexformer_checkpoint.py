"""Loading: the right file loads, and every wrong one says what is wrong with it and what to do."""

from __future__ import annotations

import hashlib
import os
import pickle

import pytest
import torch

from ethnicmer_lib.annotate.facexformer.checkpoint import KEY, load, misfits, sha256
from ethnicmer_lib.annotate.facexformer.network import FaceXFormer
from ethnicmer_lib.errors import StudyError

FIX = "give the model file that FaceXFormer's authors publish"


def test_a_checkpoint_loads_as_it_is_for_inference_only(network, checkpoint):
    saved = torch.load(checkpoint, weights_only=True, mmap=True)[KEY]
    ours = network.state_dict()
    assert set(ours) == set(saved)
    name = "face_decoder.race_prediction_head.layers.2.weight"
    assert torch.equal(ours[name], saved[name])
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(tensor.is_meta for tensor in ours.values())


def test_the_hash_is_that_of_the_file(tmp_path):
    path = tmp_path / "any.pt"
    path.write_bytes(b"weights")
    assert sha256(path) == hashlib.sha256(b"weights").hexdigest()


@pytest.mark.parametrize("function", [load, sha256])
def test_a_missing_file(tmp_path, function):
    with pytest.raises(StudyError, match=f"no checkpoint at .*none.pt; {FIX}"):
        function(tmp_path / "none.pt")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file(tmp_path, share):
    whole = tmp_path / "whole.pt"
    torch.save({KEY: {"a": torch.arange(10_000)}}, whole)
    path = tmp_path / "cut.pt"
    path.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(
        StudyError, match=rf"cut.pt \(0.* MB\) cannot be read: .*truncated or no checkpoint; {FIX}"
    ):
        load(path)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({KEY: Harmful()}, "harm.pt")
    with pytest.raises(StudyError, match=r"harm\.pt .* cannot be read"):
        load(tmp_path / "harm.pt")
    assert not (tmp_path / "made-by-a-pickle").exists()
    (tmp_path / "old.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(StudyError, match=r"old\.pt .* cannot be read"):
        load(tmp_path / "old.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"conv.weight": torch.zeros(1)}, r"it holds the keys \['conv.weight'\]"),
        ([torch.zeros(1)], "it holds list"),
        ({KEY: torch.zeros(1)}, "it holds the keys"),
    ],
)
def test_a_foreign_checkpoint(tmp_path, content, said):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(StudyError, match=f"other.pt has no 'state_dict_backbone' .*{said}.*; {FIX}"):
        load(path)


def test_tensors_that_are_missing_unexpected_or_misshapen_are_named(tmp_path):
    with torch.device("meta"):
        expected = FaceXFormer().state_dict()
    assert misfits(expected, expected) == []
    state = dict(expected)
    del state["linear_fuse.weight"]
    state["module.extra"] = torch.zeros(1)
    state["linear_c.0.proj.bias"] = torch.zeros(3)
    state["linear_c.1.proj.bias"] = torch.zeros(256, dtype=torch.float16)
    state["linear_c.2.proj.bias"] = "text"
    missing, unexpected, misshapen = misfits(state, expected)
    assert missing == "1 tensors missing: linear_fuse.weight"
    assert unexpected == "1 tensors unexpected: module.extra"
    assert misshapen.startswith(
        "3 tensors of another shape or type: linear_c.0.proj.bias is (3,) float32, not (256,)"
    )
    assert "(256,) float16, not (256,) float32" in misshapen
    assert "linear_c.2.proj.bias is str" in misshapen


def test_a_checkpoint_of_another_network_says_how_much_differs(tmp_path):
    path = tmp_path / "resnet.pt"
    torch.save({KEY: {"fc.weight": torch.zeros(2)}}, path)
    with pytest.raises(StudyError, match=r"505 tensors missing: .*, \.\.\.; 1 tensors unexpected: fc.weight"):
        load(path)
