"""The stochastic second best of one buyer in two stages, in the continuum: bracketed, with a mechanism (Zik 2.3)."""

from expost.brackets.lotteries.search import LotteryBounds, lottery_bracket

__all__ = ["LotteryBounds", "lottery_bracket"]
