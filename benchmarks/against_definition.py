"""Hold the solver against an enumeration written from the definition, on as many random instances as asked for.

    python benchmarks/against_definition.py --count 100000 --first 0

Prints how many were compared (sequential instances whose values fall are refused by the package, and left out), and
every seed whose answer is wrong, with what is wrong about it; the exit code is 1 if there is any.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.against_definition import tally

STEP = 5000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="how many instances are compared")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    compared, wrong, seed, begun = 0, 0, asked.first, time.process_time()
    while compared < asked.count:
        step = range(seed, seed + min(STEP, asked.count - compared))
        done, bad = tally(step)
        compared, wrong, seed = compared + done, wrong + len(bad), step.stop
        for number, what in bad.items():
            print(f"seed {number}: {what}", flush=True)
        print(
            f"{compared} compared, {wrong} wrong, {time.process_time() - begun:.0f} s of processor",
            flush=True,
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
