"""The four networks, trained fold by fold anywhere, their held-out predictions, probes and maps."""

from ethnicmer_lib import lazily

# Loaded when first used: who reads a recipe or recorded predictions needs no torch.
_PUBLIC = {
    "arms": "compared left_out",
    "cells": "grad_cam",
    "folds": "train_and_predict trained",
    "maps": "MEASURES activation_maps measure_maps",
    "models": "build_network",
    "probes": "group_accuracy learnt",
    "recipe": "Recipe",
    "table_v": "contrasts",
    "switches": "AS_DESCRIBED Switches",
}
__all__, __getattr__ = lazily(__name__, _PUBLIC)
