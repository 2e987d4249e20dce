"""Optical flow made for motions below a pixel, from two frames or from their neighbours, too."""
