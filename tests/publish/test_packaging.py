"""Packaging: what pip, uv, conda and the README promise agrees."""

from __future__ import annotations

import re
import sys
import tomllib

import cv2
import pytest
import yaml
from checkout import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(ROOT / "tools"))
import lock

LOCK = (ROOT / "requirements.lock").read_text()


def test_environment_yml_installs_what_the_lock_says():
    text = (ROOT / "environment.yml").read_text()
    assert text == lock.environment(LOCK), "run `make lock`"
    pip = yaml.safe_load(text)["dependencies"][-1]["pip"]
    assert [line for line in pip if "==" in line] == lock.pins(LOCK)
    assert pip[-1] == "--editable ."


def test_the_lock_covers_every_declared_dependency_with_hashes_and_no_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras) == {*lock.EXTRAS, "student"}
    declared = [*project["dependencies"], *(d for extra in lock.EXTRAS for d in extras[extra])]
    pinned = {canonicalize_name(r.name): r for r in map(Requirement, lock.pins(LOCK))}
    for requirement in map(Requirement, declared):
        version = next(iter(pinned[canonicalize_name(requirement.name)].specifier)).version
        assert requirement.specifier.contains(version), requirement
    blocks = re.split(r"\n(?=[a-z0-9])", LOCK)
    assert len(blocks) > 100
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK


def test_opencv_is_the_one_with_deepflow():
    assert hasattr(cv2, "optflow"), "another OpenCV package has overwritten opencv-contrib-python-headless"
    assert cv2.optflow.createOptFlow_DeepFlow() is not None


def test_the_readme_names_the_two_commands_and_ci_runs_the_test_command():
    readme = (ROOT / "README.md").read_text()
    assert re.search(r"^make book$", readme, re.MULTILINE)
    assert re.search(r"^make test$", readme, re.MULTILINE)
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


def test_workflows_run_what_is_there_and_publish_what_the_build_makes():
    targets = re.findall(r"^([\w.]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    flows = {
        path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")
    }
    assert {"publish", "weekly"} <= set(flows)
    steps = [step for flow in flows.values() for job in flow["jobs"].values() for step in job["steps"]]
    said = [step["run"].removeprefix("make ") for step in steps if "run" in step]
    assert said
    assert all(one in targets or (ROOT / one).is_file() for one in said)
    published = next(step for step in steps if "upload-pages-artifact" in step.get("uses", ""))
    assert published["with"]["path"] == "_build/html"


@pytest.mark.parametrize("name", ["LICENSE", "LICENSE-TEXT.md", "CITATION.cff"])
def test_licences_and_citation_are_there(name):
    assert len((ROOT / name).read_text()) > 500
