"""The numbers that the paper prints: Tables I to III, Tables IV and V, the protocol."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import yaml


def _read(name: str) -> Any:
    return yaml.safe_load(resources.files("ethnicmer_lib.paper").joinpath(name).read_text(encoding="utf-8"))


@functools.cache
def _paper_tables() -> dict:
    return _read("counts.yml")


def paper_tables() -> dict:
    """The numbers printed in the paper's Tables I-III, with the place of each (``data/paper.yml``)."""
    return _paper_tables()


@functools.cache
def paper_results() -> dict[str, Any]:
    """The numbers printed in Tables IV and V and the paper's protocol, with where they stand."""
    return _read("results.yml")
