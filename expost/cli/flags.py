"""From parameters to flags: the library's errors name parameters, and here alone these become options."""

from __future__ import annotations

import re
from collections.abc import Container

from expost.errors import ExpostError, InputError

FLAGS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "accuracy", "axes", "at", "backend", "bayesian", "between", "brackets", "digits", "epsilon", "first", "format",
        "gap", "grid", "jobs", "keep", "lotteries", "objective", "out", "over", "participation", "points", "prices",
        "restrict", "rigorous", "rows", "run", "samples", "seed", "study", "symmetric", "time_limit", "timing",
        "loses_to", "write_model",
    )
} | {"parameters": "--set", "most": "--terms", "terms": "--add"}  # fmt: skip
"""The option of every parameter that has one somewhere; the others are arguments, or parts of a file."""

_SETTING = re.compile(rf"\b({'|'.join(FLAGS)})=(\{{[^}}]*\}}|\[[^\]]*\]|\"[^\"]*\"|'[^']*'|[^\s,;]+)")


def message(error: ExpostError, options: Container[str]) -> str:
    """The error's line, with options where it names parameters. options: those of the command, for what is an option of
    one command is an argument of another, or lies in a file."""
    if not isinstance(error, InputError):
        return in_flags(str(error))
    head, colon, rest = error.where.partition(":")
    flag = FLAGS.get(head, head)
    where = (flag if flag in options else head) + colon + rest
    return str(
        InputError(error.found, where=where, expected=in_flags(error.expected), remedy=in_flags(error.remedy))
    )


def in_flags(text: str) -> str:
    """``timing="sequential"`` as ``--timing sequential``, and its like."""
    return _SETTING.sub(lambda found: f"{FLAGS[found[1]]} {_word(found[2])}", text)


def _word(value: str) -> str:
    """A Python literal as one writes it on the command line."""
    if value[0] in "\"'":
        return value[1:-1]
    if value[0] in "[{":
        return re.sub(r"\s*([,=])\s*", r"\1", value[1:-1].replace(":", "=").replace('"', "").replace("'", ""))
    return value
