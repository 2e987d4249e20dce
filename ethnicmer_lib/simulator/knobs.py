"""What the experimenter's knobs do, in the words of their docstring: for the command line and for the book."""

from __future__ import annotations

import inspect
import re

from ethnicmer_lib.simulator.settings import SimulatorSettings


def described() -> dict[str, str]:
    """Setting of the simulator -> its meaning on one line, as the docstring of ``SimulatorSettings`` has it."""
    found = re.findall(r"^(\w+) : (.*(?:\n +.*)*)", inspect.getdoc(SimulatorSettings) or "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
