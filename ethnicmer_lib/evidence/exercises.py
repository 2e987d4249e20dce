"""What a lesson asks: checks that say right, or not yet and a hint; questions whose answers say why; stubs."""

from __future__ import annotations

import ast
import html
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from IPython.display import HTML

RIGHT = "Right"  #: how the feedback of a right answer begins


class Checked(NamedTuple):
    """What a check found; a notebook shows it as a line."""

    right: bool
    text: str

    def __repr__(self) -> str:
        return self.text


def check(exercise: str, *conditions: tuple[Callable[[], object], str]) -> Checked:
    """Whether every condition of an exercise holds: (function without arguments, hint for where it does not).

    A condition that raises, as it does while the answer is still ``...``, does not hold.

    Examples
    --------
    >>> answer = 3
    >>> check("0.1", (lambda: answer > 2, "More than two."), (lambda: answer % 2 == 0, "It is even."))
    Exercise 0.1: not yet. It is even.
    """
    for holds, hint in conditions:
        try:
            fine = bool(holds())
        except Exception as error:
            fine, hint = False, f"{hint} (Python says: {type(error).__name__}: {error})"
        if not fine:
            return Checked(False, f"Exercise {exercise}: not yet. {hint}")
    return Checked(True, f"Exercise {exercise}: right.")


def quiz(question: str, answers: Mapping[str, str]) -> HTML:
    """A question and its answers; each unfolds into its feedback, without a script. The right one's begins "Right"."""
    shown = "".join(
        f"<details class='answer'><summary>{html.escape(answer)}</summary><p>{html.escape(why)}</p></details>"
        for answer, why in answers.items()
    )
    return HTML(f"<div class='quiz'><p><strong>{html.escape(question)}</strong></p>{shown}</div>")


def expected(**repeated: Sequence[float]) -> pd.DataFrame:
    """For an instructor: the mean of each number over repetitions, and how far one of them lies from it at most."""
    found = {name.replace("_", " "): np.asarray(values, dtype=float) for name, values in repeated.items()}
    rows = [(name, one.mean(), np.abs(one - one.mean()).max(), one.size) for name, one in found.items()]
    return pd.DataFrame(rows, columns=["number", "expected", "tolerance", "repetitions"]).round(3)


def stub(solution: str, check: str) -> str:
    """What a student starts from: comments at the top and imports of a solution, its functions without their bodies,
    and ``...`` for whatever else the check asks for."""
    asked = {node.id for node in ast.walk(ast.parse(check)) if isinstance(node, ast.Name)}
    lines = [line for line in solution.splitlines() if line.startswith("#")]
    for node in ast.parse(solution).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines.append(ast.unparse(node))
        elif isinstance(node, ast.FunctionDef):
            about = node.body[:1] if ast.get_docstring(node) else []
            node.body = [*about, ast.Expr(ast.Constant(...))]
            lines.append(ast.unparse(node))
        elif isinstance(node, ast.Assign):
            names = {
                name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)
            }
            lines += [f"{name} = ..." for name in sorted(names & asked)]
    return "\n".join(lines)
