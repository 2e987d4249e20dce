"""What the calibration costs: seconds of one core for a table of every design, and how long a recording takes.

python benchmarks/calibration.py                                  20 tables with 500 resamples
python benchmarks/calibration.py --tables 40 --resamples 2000     others
"""

from __future__ import annotations

import argparse
import time

from ethnicmer_lib.evidence.calibration import DESIGNS, networks, simulate
from ethnicmer_lib.evidence.made_up import runs_of

RECORDED = 1000  #: tables of a recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tables", type=int, default=20)
    parser.add_argument("--resamples", type=int, default=500)
    args = parser.parse_args()
    runs, total = runs_of(networks()), 0.0
    print(f"{'design':<24}{'s a table':>10}{f'min for {RECORDED:,} tables':>24}")
    for design in DESIGNS:
        simulate(design, runs, 1, 100)  # imports, the truths of made-up runs
        start = time.process_time()
        simulate(design, runs, 0, args.resamples)
        fixed = time.process_time() - start
        simulate(design, runs, args.tables, args.resamples)
        each = (time.process_time() - start - 2 * fixed) / args.tables
        total += each
        print(f"{design.name:<24}{each:>10.3f}{each * RECORDED / 60:>24.1f}")
    print(f"{'all':<24}{total:>10.3f}{total * RECORDED / 60:>24.1f}")


if __name__ == "__main__":
    main()
