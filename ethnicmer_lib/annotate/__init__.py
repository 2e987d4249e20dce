"""Group labels from faces (FaceXFormer), and the written rules that screen them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Public name -> module.  Loaded when first used: who screens released codes needs no torch.
_PUBLIC = {
    "Rules": "screening",
    "annotate_clips": "annotation",
    "beside_released": "screening",
    "released_codes": "screening",
    "screen": "screening",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
