"""Scores, intervals and tests in which the subject is the unit and the run is a source of error."""
