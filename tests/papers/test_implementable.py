"""Which rules some payments implement: as many values as there are may be equal up to rounding."""

import numpy as np
import pytest

from expost.papers.implementable import by_one_price, by_some_transfers, every_rule


@pytest.mark.parametrize("types", [9, 36, 90])
def test_values_that_differ_by_rounding_are_ties(types):
    values = np.repeat(np.linspace(0.3, 1.4, types // 3), 3)
    values[1::3] = np.nextafter(values[1::3], 2.0)
    values[2::3] = np.nextafter(values[2::3], 0.0)
    price = values[3 * (types // 6)]
    by_price, ties = values > price + 1e-12, np.flatnonzero(np.abs(values - price) < 1e-12)
    rules = np.repeat(by_price[None], 8, axis=0)
    rules[:, ties] = every_rule(3)
    assert by_some_transfers(values, rules).all()
    rules[:, ties[0] + 3] = False  # the next larger value loses: whoever wins for less has something to gain
    assert by_some_transfers(values, rules).tolist() == by_one_price(values, rules).tolist()
    assert by_some_transfers(values, rules).sum() == 1
