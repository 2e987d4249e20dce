"""Group labels from faces (FaceXFormer), and the written rules that screen them."""

from ethnicmer_lib import lazily

# Loaded when first used: who screens released codes needs no torch.
_PUBLIC = {
    "annotation": "annotate_clips",
    "screening": "Rules beside_released released_codes screen",
}
__all__, __getattr__ = lazily(__name__, _PUBLIC)
