"""Loading: the right file loads, and every wrong one says what is wrong with it and what to do."""

from __future__ import annotations

import hashlib
import os
import pickle

import pytest
import torch

from ethnicmer_lib.annotate.facexformer.checkpoint import KEY, load, sha256
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


def test_a_missing_file(tmp_path):
    with pytest.raises(StudyError, match=f"no checkpoint at .*none.pt; {FIX}"):
        sha256(tmp_path / "none.pt")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file(tmp_path, share):
    whole = tmp_path / "whole.pt"
    torch.save({KEY: {"a": torch.arange(10_000)}}, whole)
    path = tmp_path / "cut.pt"
    path.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(StudyError, match=rf"cut.pt is truncated or not FaceXFormer's \(.*\); {FIX}"):
        load(path)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({KEY: Harmful()}, "harm.pt")
    with pytest.raises(StudyError, match=r"harm\.pt is truncated or not") as refused:
        load(tmp_path / "harm.pt")
    assert "False" not in str(refused.value)
    assert not (tmp_path / "made-by-a-pickle").exists()
    (tmp_path / "old.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(StudyError, match=r"old\.pt is truncated or not"):
        load(tmp_path / "old.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"conv.weight": torch.zeros(1)}, "KeyError: 'state_dict_backbone'"),
        ([torch.zeros(1)], "TypeError: list indices"),
        ({KEY: torch.zeros(1)}, "Expected state_dict to be dict-like"),
        ({KEY: {"fc.weight": torch.zeros(2)}}, "Missing key.*face_decoder|Missing key.*backbone"),
    ],
)
def test_a_foreign_checkpoint(tmp_path, content, said):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(StudyError, match=f"other.pt is truncated or not FaceXFormer's .*({said}).*; {FIX}"):
        load(path)


def test_tensors_that_do_not_fit_are_named(checkpoint, tmp_path):
    state = dict(torch.load(checkpoint, weights_only=True, mmap=True)[KEY])
    del state["linear_fuse.weight"]
    state["module.extra"] = torch.zeros(1)
    state["linear_c.0.proj.bias"] = torch.zeros(3)
    path = tmp_path / "other.pt"
    torch.save({KEY: state}, path)
    with pytest.raises(StudyError, match=r"linear_fuse\.weight.*module\.extra.*linear_c\.0\.proj\.bias"):
        load(path)
    path.unlink()
