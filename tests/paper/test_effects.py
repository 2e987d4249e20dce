"""The recorded studies give Table IV as described and the effect of every switch, and every switch is a parameter."""

import pytest

from ethnicmer_lib.paper import described_cells, switch_effects
from ethnicmer_lib.paper.numbers import read_yaml
from ethnicmer_lib.publish.chapters import parameters
from ethnicmer_lib.store import recording


@pytest.fixture(scope="module")
def studies():
    return recording("table_iv").predictions


def test_cells_of_table_iv_as_described(studies):
    few = studies[(studies["study"] == "forest, ResNet-18") & (studies["draw"] < 20)]
    found = described_cells(few)
    assert list(found.columns) == ["Negative", "Non-negative", "macro"]
    assert found.loc["Mixed", "macro"].low < found.loc["Mixed", "macro"].value < 0.7
    perfect = few.assign(predicted=few["label"])
    assert described_cells(perfect).loc["Mixed", "macro"].value == 1


def test_every_switch_has_a_measured_effect(studies):
    effects = switch_effects(studies, *map(recording("table_v").table, ("controls", "released")))
    assert len(effects) == 13
    assert effects["of"].str.fullmatch(r"\d+ draws|1 run|\d+ runs").all()
    for effect in effects["effect"]:
        assert effect.low <= effect.value <= effect.high


def test_every_switch_of_table_v_is_a_parameter_whose_default_is_as_described():
    for row in (one for one in read_yaml("switches") if one["table"] == "V"):
        name = row["parameter"].removeprefix("switches.")
        assert str(getattr(parameters("benchmark", {}).switches, name)) == row["described"]
        flipped = {"True": True, "False": False}.get(row["changed"], row["changed"])
        changed = parameters("benchmark", {"switches": {name: flipped}}).switches
        assert getattr(changed, name) == flipped
