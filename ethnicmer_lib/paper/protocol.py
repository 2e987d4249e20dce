"""The protocol: every rule that gives a verdict, what it depends on beside its words, and the dates of its changes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ethnicmer_lib.paper.judging import rules_of
from ethnicmer_lib.paper.numbers import read_yaml
from ethnicmer_lib.store import digest

#: What of a rule decides a verdict; everything else of it is words.
DECIDES = (
    "rule mode direction against margin large decimals level paper least planted groups instead untestable"
)


def protocol() -> pd.DataFrame:
    """All rules of ``claims.yml``: chapter, key, rule, mode, and ``settings``, what else decides, as a text.

    Examples
    --------
    >>> import ethnicmer_lib as em
    >>> em.paper.protocol().set_index("key").loc["motion_context", "settings"]
    'direction 1, least seeds 5, few, simulated'
    """
    rows = []
    for chapter in read_yaml("claims")["findings"]:
        for key, rule in rules_of(chapter).items():
            settings = [
                _said(name, rule[name]) for name in DECIDES.split()[2:] if name in rule and name != "paper"
            ]
            about = {
                "rule": rule["rule"],
                "mode": rule["mode"],
                "settings": ", ".join(filter(None, settings)),
            }
            rows.append({"chapter": chapter, "key": key, **about})
    return pd.DataFrame(rows)


def changes() -> pd.DataFrame:
    """The frozen states of the rules, oldest first: date, ``rules`` (their digest) and what was changed."""
    return pd.DataFrame(read_yaml("protocol")["changes"])


def rules_digest() -> str:
    """Digest of all that decides verdicts; the last of :func:`changes` has it, or the rules are not those frozen."""
    known = {chapter: rules_of(chapter) for chapter in read_yaml("claims")["findings"]}
    parts = {
        chapter: {
            key: {name: _names(rule[name]) for name in DECIDES.split() if name in rule}
            for key, rule in rules.items()
        }
        for chapter, rules in known.items()
    }
    return digest(parts)[:12]


def _names(value: Any) -> Any:
    """Settings without words: of what makes a finding untestable the names alone."""
    return (
        [one if isinstance(one, str) else next(iter(one)) for one in value]
        if isinstance(value, list)
        else value
    )


def _said(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} {'; '.join(f'{key} {one}' for key, one in value.items())}"
    return ", ".join(_names(value)) if isinstance(value, list) else f"{name} {value}"
