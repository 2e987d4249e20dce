"""Figures by chapter, each stamped with its source."""
