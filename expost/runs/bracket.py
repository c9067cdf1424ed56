"""Brackets as the user asks for them: the engine of ``brackets``, started from the papers' constructions too."""

from __future__ import annotations

from functools import partial

from expost.brackets import bracket as search
from expost.papers.constructions import starts

bracket = partial(search, starts=starts)
