"""The protocol: every rule that gives a verdict, what it depends on beside its words, and the dates of its changes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ethnicmer_lib.paper.judging import rules_of
from ethnicmer_lib.paper.numbers import called, read_yaml
from ethnicmer_lib.store import digest

#: What of a rule only tells; everything else decides.
WORDS = {"question", "answer", "reason", "when", "missing", "interval"}


def all_rules() -> pd.DataFrame:
    """All rules of ``claims.yml``: chapter, key, rule, mode, and ``settings``, what else decides, as a text.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.paper.all_rules().set_index("key").loc["motion_context", ["chapter", "rule"]].tolist()
    ['benchmark', 'effect']
    """
    rows = []
    for chapter, rules in _deciding().items():
        for key, rule in rules.items():
            settings = [
                f"{name}: {_said(value)}" for name, value in rule.items() if name not in ("rule", "mode")
            ]
            rows.append({"chapter": chapter, "key": key, "rule": rule["rule"], "mode": rule["mode"]})
            rows[-1]["settings"] = "; ".join(settings)
    return pd.DataFrame(rows)


def changes() -> pd.DataFrame:
    """The frozen states of the rules, oldest first: date, ``rules`` (their digest) and what was changed."""
    return pd.DataFrame(read_yaml("protocol")["changes"])


def rules_digest() -> str:
    """Digest of all that decides verdicts; the last of :func:`changes` has it, or the rules are not those frozen."""
    return digest(_deciding())[:12]


def _deciding() -> dict[str, dict[str, dict[str, Any]]]:
    """Chapter -> key -> what decides; of what forbids a verdict the names, without the words around it."""
    return {
        chapter: {
            key: {name: _names(value) for name, value in rule.items() if name not in WORDS}
            for key, rule in rules_of(chapter).items()
        }
        for chapter in read_yaml("claims")["findings"]
    }


def _names(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [next(iter(one)) if isinstance(one, dict) else one for one in value]


def _said(value: Any) -> str:
    if isinstance(value, dict):
        value = [
            f"{called(name)} {one}" if not isinstance(one, dict) else f"{name} ({_said(one)})"
            for name, one in value.items()
        ]
    return ", ".join(map(str, value)) if isinstance(value, list) else called(str(value))
