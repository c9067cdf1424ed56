"""The pages on the papers: what makes one stale, and (slow) that none is."""

from fractions import Fraction

import build
import numbers_of_pages
import pytest


def test_numbers_agree_to_the_digits_printed():
    assert build.stale("gain 0.1234 at 8", "gain 0.1235 at 8") == ""
    assert "0.1234 is now 0.1239" in build.stale("gain 0.1234 at 8", "gain 0.1239 at 8")
    assert "8 is now 9" in build.stale("gain 0.1234 at 8", "gain 0.1234 at 9")
    assert build.stale("error 1.2e-05", "error 1.3e-05") == ""


def test_words_have_to_be_the_same():
    assert "line 1" in build.stale("Theorem 1 holds", "Theorem 1 fails")
    assert build.stale("one\ntwo", "one") == "the number of lines differs"


def test_the_derived_fractions():
    exact = numbers_of_pages.exact_welfare()
    assert exact["first best"] == Fraction(11, 12)
    assert exact["example2"] == Fraction(86, 105)
    assert exact["t*"] == Fraction(43, 72)


def test_every_place_of_the_templates_is_a_figure_that_exists_or_a_number():
    for page in build.PAGES:
        text = (build.DOCS / f"{page}.md").read_text(encoding="utf-8")
        assert "{{" not in text
        for name in build.figure_list():
            if name.startswith(page[0]):
                assert f"figures/{name}.png" in text
                assert (build.FIGURES / f"{name}.png").stat().st_size < 100_000


@pytest.mark.slow
def test_no_page_is_stale():
    assert build.check() == []
