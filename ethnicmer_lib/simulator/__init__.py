"""Faces that move by Action Units, so that the truth is known; writes what ``clips`` reads."""
