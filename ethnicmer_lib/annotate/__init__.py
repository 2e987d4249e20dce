"""Group labels from faces (FaceXFormer), and the written rules that screen them."""
