"""The activation page: mean maps by label and group, and the measures that replace hand-picked pictures."""

from __future__ import annotations
