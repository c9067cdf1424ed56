"""The kinds of answers that are saved as ``answers.py`` says, each with the function that opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from expost.errors import InputError
from expost.runs.answers import RECORD, Answer
from expost.runs.bayesian import BAYESIAN, Bayesian, open_bayesian
from expost.runs.epsilon import EPSILON, EpsilonFrontier, open_epsilon
from expost.runs.items import ITEMS, ItemsRun, open_items
from expost.runs.lotteries import LOTTERIES, LotteryRun, open_lotteries
from expost.runs.lottery_bracket import LOTTERY_BRACKET, LotteryBracket, open_lottery_bracket

Kind: TypeAlias = LotteryRun | LotteryBracket | ItemsRun | EpsilonFrontier | Bayesian

OPEN: Mapping[str, Callable[[Answer], Kind]] = {
    LOTTERIES: open_lotteries,
    LOTTERY_BRACKET: open_lottery_bracket,
    ITEMS: open_items,
    EPSILON: open_epsilon,
    BAYESIAN: open_bayesian,
}


def open_answer(answer: Answer) -> Kind:
    """The answer, its mechanism audited and its bound recomputed. Raises InputError, CheckFailed or AuditError when its
    parts do not fit together."""
    if answer.kind not in OPEN:
        raise InputError(f"{answer.kind!a:.60}", where=RECORD, expected=f"one of {', '.join(OPEN)}")
    try:
        return OPEN[answer.kind](answer)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}"[:160], where=RECORD, expected="what expost wrote"
        ) from None
