"""What `check` says of the orders of arrival agrees with what the papers say of known instances."""

import pytest

import expost as ex

FREE = "1: 0; 2: 0"


def conditions(instance, grid=2):
    return {one.name: one for one in ex.check(instance, FREE, grid=grid).conditions}


def test_the_private_part_first_attains_the_first_best_and_the_common_part_does_not():
    found = conditions("jmmz")
    for place in "12":
        assert found[f"first best attained with p{place} first"].holds
        common = found[f"first best attained with c{place} first"]
        assert not common.holds and common.residual > 0.5 and "statically not" in common.detail
        assert not found[f"rate of V at most that of U, c{place} first"].holds
        # c1*c2 is flat in c1 where c2 = 0: the corollaries ask for more
        assert not found[f"V does not fall, U rises in own signals, buyer {place}"].holds


def test_linear_values_are_told_apart_by_their_rates():
    """V_i = 2 x_i + y_i + ...: the rate of V, 1/2, against that of U = V_i - V_j, whose weights are given."""
    found = conditions("linear")
    for place in "12":
        assert found[f"V does not fall, U rises in own signals, buyer {place}"].holds
        assert found[f"rate of V at most that of U, x{place} first"].holds
        assert found[f"first best attained with x{place} first"].holds
        assert not found[f"rate of V at most that of U, y{place} first"].holds
        assert not found[f"first best attained with y{place} first"].holds
    even = conditions(
        ex.load("linear", alpha21=1.0, alpha22=0.5, beta11=0.5, beta12=0.5, beta21=1.0, beta22=1.0)
    )
    assert all(one.holds for name, one in even.items() if name.startswith(("rate of V", "first best")))
    assert "statically too" in even["first best attained with x1 first"].detail


def test_one_signal_each_is_attained_in_the_only_order():
    assert conditions("one-dimensional")["first best attained with s1 alone"].holds


@pytest.mark.parametrize(
    "instance",
    [
        ex.Instance(
            "three signals", [ex.Buyer("1", [*"abc"], "a + b + c"), ex.Buyer("2", [*"de"], "d + e + a")]
        ),
        ex.Instance(
            "atoms",
            [ex.Buyer("1", [*"ab"], "a + b"), ex.Buyer("2", [*"de"], "d + e")],
            {"a": ex.discrete([0, 1])},
        ),
    ],
    ids=lambda instance: instance.name,
)
def test_where_the_corollaries_do_not_speak_there_is_no_line(instance):
    assert not any(name.startswith(("rate of V", "first best")) for name in conditions(instance))
