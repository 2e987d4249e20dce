"""An executable, falsifiable reproduction of 'Is Micro-expression Ethnic Leaning?' (Khor et al., ICMEW 2025).

``import ethnicmer_lib as em`` gives the public names of the rooms; each is loaded when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

NETWORKS = ("torch", "torchvision", "timm", "pytorch_grad_cam")  #: what the small installation lacks
MORE = "the small installation has no networks, `pip install -e '.[networks]'` adds them"
#: Room, or a module of it -> its public names.  A room may offer more: ``from ethnicmer_lib.clips import ...``.
PUBLIC = {
    "sources": "open_clips",
    "clips": "MOMENTS LABELS MAPPINGS label_emotions released_clips",
    "annotate": "annotate_clips released_codes screen Rules",
    "motion": "optical_flow optical_strain flow_image motion_images apex_images",
    "design": "subject_folds draw_scenarios binary_labels features classifier repeat_scenarios majority_rule "
    "forest_baseline",
    "networks": "Recipe Switches build_network train_and_predict trained grad_cam activation_maps measure_maps "
    "MEASURES group_accuracy",
    "stats": "Estimate scores difference group_difference mean_over_draws holm cramers_v",
    "paper": "RELEASED count_tables printed judge",
    "store": "recording",
    "publish.chapters": "parameters",
    "publish.saved": "save_findings all_findings",
    "publish.library": "library",
}
#: Parts of the library, from below.
_BELOW = "store stats clips simulator sources annotate motion design networks"
ROOMS = (*_BELOW.split(), "paper", "show", "evidence", "publish")


def lazily(package: str, public: Mapping[str, str]) -> tuple[list[str], Callable[[str], Any]]:
    """``__all__`` and ``__getattr__`` of a package: public names by module, which is loaded when one is first used."""
    module_of = {name: module for module, names in public.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f"{package}.{module_of[name]}"), name)
        except ModuleNotFoundError as error:
            if error.name not in NETWORKS:
                raise
            from ethnicmer_lib.errors import StudyError  # pydantic, which takes longer than all else here

            raise StudyError(f"{name} needs {error.name}; {MORE}") from None

    return sorted(module_of), load


_names, _load = lazily(__name__, PUBLIC)
__all__ = ["__version__", "show", *_names]


def __getattr__(name: str) -> Any:
    return import_module(f"{__name__}.{name}") if name in ROOMS else _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS, *_names})
