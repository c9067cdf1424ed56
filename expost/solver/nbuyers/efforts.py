"""How much of what a search tries: sizes of cores, patience, parts of the time limit."""

from __future__ import annotations

import os

FIRST_CORE = 4000
"""Variables of the first core, which settles programs whose linear bound is attained."""

FIRST_ALLOWANCE = 1e-6
"""Part of the linear bound that the first core allows for at least."""

SECOND_CORE = 20_000
"""Variables of the second core, which gives better rules where the linear bound is not attained."""

SECOND_LIMIT = 60.0
"""Seconds for the second core when there is no time limit."""

LARGEST_CORE = 60_000
"""Variables beyond which branch and bound within a time limit does not get through its first linear program."""

PATIENCE = {FIRST_CORE: 0, 2 * FIRST_CORE: 20, LARGEST_CORE: 60}
"""Kicks without improvement after which branch and bound takes over, by the size of the core."""

EXHAUSTED = 2000
"""Kicks without improvement after which there are no more beside branch and bound."""

TRIES = 3
"""Cuts of the fractional point that are tried before the bound is tightened: dives find better rules then."""

CUTS_LIMIT = 300.0
"""Seconds for cuts and dives when there is no time limit."""

CUTS_PATIENCE, CUTS_PROGRESS = 12, 0.05
"""Rounds in which the gap has to shrink by this part, or cuts have done what they can."""

CERTIFY = 0.25
"""Part of the gap by which the bound has to fall before it is certified again."""

DIVES = (10, 16, 22, 30, 40, 52, 64, 80, 100, 128)
"""Rounds of cuts after which there are dives."""

PREPARING, LATE = 1.7e-6, 1.5
"""Seconds a variable for layers, chains, a linear bound, its proof and a rounding; and by how much they may be late."""

CONCLUSION = 1.0
"""Seconds after Ctrl-C for proving what the prices at hand are worth."""

DIVE_FIRST = 100_000
"""Variables from which there are dives before further roundings and cuts: these take long there, and gain less."""

DIVES_AT_ONCE = 4
"""Dives in a row, as long as each improves the rule."""

CASES_GAP = 0.002
"""Relative gap up to which a proof by cases is tried."""

CASES_LIMIT = 120.0
"""Seconds for it when there is no time limit."""

SHARES = {
    "cases": 0.3,
    "cuts": 0.7,
    "relaxation": 0.6,
    "first core": 0.15,
    "second core": 0.5,
    "kicks": 0.15 if (os.cpu_count() or 1) > 1 else 0.6,
}
"""Parts of the time limit: of the whole for the relaxation, of what then remains for the others."""
