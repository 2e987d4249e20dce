"""The one kind of error a reader is meant to act on."""

from __future__ import annotations

from collections.abc import Collection


class StudyError(Exception):
    """Something in the input is wrong; the message names the clip or file, the value, and the fix."""


def check_name(what: str, value: str, allowed: Collection[str]) -> None:
    """StudyError unless a value is one of the names that are allowed."""
    if value not in allowed:
        raise StudyError(f"{what}={value!r} is unknown; allowed: {', '.join(allowed)}")
