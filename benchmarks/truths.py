"""Brackets of random instances whose second best is known: how many contain it, how many of their bounds fail.

    python benchmarks/truths.py [--instances 300] [--start 0]

Families in turn: two buyers and three whose first best is attained, private values, one buyer static, and one in
sequence under Zik's Theorem 7; confidence 90%, so that failures can be seen at all. Each search has some seconds, so
how many bounds there are depends on the machine; whether they hold may not.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.bracket_truths import CONFIDENCE, FAMILIES, case, misses

from expost.brackets.records import RIGOROUS, STATISTICAL

COLUMNS = ("instances", "outside", "statistical", "fail", "rigorous", "fail", "processor s")


def main() -> None:
    """Print one row a family, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=300)
    parser.add_argument("--start", type=int, default=0)
    given = parser.parse_args()
    table = {family: [0.0] * len(COLUMNS) for family in FAMILIES}
    for done, k in enumerate(range(given.start, given.start + given.instances), 1):
        began = time.process_time()
        found, truth = case(k)
        counts, outside = misses(found, truth)
        (wrong, bounds), (broken, proved) = counts[STATISTICAL], counts[RIGOROUS]
        row = (1, outside, bounds, wrong, proved, broken, time.process_time() - began)
        family = FAMILIES[k % len(FAMILIES)]
        table[family] = [old + new for old, new in zip(table[family], row, strict=True)]
        if done % 10 == 0 or done == given.instances:
            show(table, done)


def show(table: dict[str, list[float]], done: int) -> None:
    """The table so far."""
    rows = {**table, "all": [sum(column) for column in zip(*table.values(), strict=True)]}
    print(f"\nafter {done} instances, confidence {CONFIDENCE:.0%}\n")
    print("| family | " + " | ".join(COLUMNS) + " |")
    print("| --- |" + " --- |" * len(COLUMNS))
    for family, row in rows.items():
        print(f"| {family} | " + " | ".join(f"{number:.0f}" for number in row) + " |", flush=True)


if __name__ == "__main__":
    main()
