"""Tables and figures that carry their source."""

from ethnicmer_lib.show.claims import ledger
from ethnicmer_lib.show.figures.scores import calibration, scenario_draws
from ethnicmer_lib.show.figures.style import figure
from ethnicmer_lib.show.footer import footer
from ethnicmer_lib.show.tables import answers, findings, say, table

__all__ = [
    "answers",
    "calibration",
    "figure",
    "findings",
    "footer",
    "ledger",
    "say",
    "scenario_draws",
    "table",
]
