"""FaceXFormer (Narayan et al. 2024, arXiv 2403.12960), the annotator of the paper: network, checkpoint, pixels."""
