"""What can be wrong with a copy of the databases: every kind of problem, whether it stops the study, and its fix."""

from __future__ import annotations

from typing import NamedTuple

from ethnicmer_lib.clips.policies import Policies
from ethnicmer_lib.clips.table import facts


class Kind(NamedTuple):
    """One kind of problem: what was found, what a person can do, whether the study cannot run before, and the policy
    that may settle it."""

    meaning: str
    fix: str
    stops: bool = True
    policy: str = ""


#: Code -> kind of problem, in the order of a report.
KINDS = {code: Kind(**row) for code, row in facts("problems").items()}


class Problem(NamedTuple):
    """One problem that was found; ``kept`` is False where it concerns a clip that the study leaves out."""

    code: str
    database: str
    clip: str = ""
    file: object = ""
    value: str = ""
    kept: bool = True

    @property
    def message(self) -> str:
        """One line that names clip, value, file and fix: what a loader says when it stops there."""
        where = f"clip {self.clip}" if self.clip else self.database
        parts = [f"{where}: {KINDS[self.code].meaning}", *([self.value] if self.value else [])]
        return f"{': '.join(parts)}{f' ({self.file})' if self.file else ''}; {KINDS[self.code].fix}"

    def stops(self, policies: Policies) -> bool:
        """Whether the study cannot run with this problem under these policies."""
        kind = KINDS[self.code]
        settled = kind.policy and getattr(policies, kind.policy) not in ("as_is", "refuse", "nearest")
        return self.kept and kind.stops and not settled

    def settled_by(self, policies: Policies) -> str:
        """The policy that settles it, 'name=value'; '' where none does."""
        policy = KINDS[self.code].policy
        return f"{policy}={getattr(policies, policy)!r}" if policy and not self.stops(policies) else ""
