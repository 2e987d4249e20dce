"""These tests were rewritten for the new room and have not been run to their end yet: they are skipped, loudly.

Set ETHNICMER_NETWORK_TESTS=1 to run them; whoever has seen all of them pass deletes this file.
"""

import os

import pytest


@pytest.fixture(autouse=True)
def unseen():
    if not os.environ.get("ETHNICMER_NETWORK_TESTS"):
        pytest.skip(
            "rewritten tests of the networks room, not seen to pass yet: set ETHNICMER_NETWORK_TESTS=1"
        )
