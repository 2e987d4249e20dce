"""The footer of a page says of every recording that it shows how it was made and what it cost."""

from ethnicmer_lib.publish.chapters import parameters
from ethnicmer_lib.show import footer
from ethnicmer_lib.store import recording


def test_every_part_of_a_recording_is_there_with_its_command(workspace):
    real = recording("table_iv")
    page = footer(parameters("audit", {}), real).data
    for part, about in real.parts.items():
        assert f"Recorded: table_iv, {part}" in page
        assert about["command"] in page
        assert about["made"]["commit"] in page
    hours = real.parts["permutations"]["seconds"] / 3600
    assert f"{hours:.1f} hours of one core" in page
