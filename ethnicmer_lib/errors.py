"""The one kind of error a reader is meant to act on."""


class StudyError(Exception):
    """Something in the input is wrong; the message names the clip or file, the value, and the fix."""
