"""Networks of milliseconds in place of ResNet-18, for what does not depend on the network."""

from __future__ import annotations

import pytest
import toy

from ethnicmer_lib.networks import models


@pytest.fixture
def tiny_networks(monkeypatch):
    monkeypatch.setattr(models, "resnet18_backbone", toy.tiny_backbone)
