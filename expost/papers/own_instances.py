"""Instances of ours for the claims: some that violate a hypothesis on purpose, some that meet the strictest."""

from __future__ import annotations

from dataclasses import replace

from expost.instances.environment import Buyer, Instance


def reversed_signals(instance: Instance) -> Instance:
    """The same instance with every buyer's signals listed, hence arriving, the other way round."""
    buyers = tuple(replace(buyer, signals=buyer.signals[::-1], stages=None) for buyer in instance.buyers)
    return replace(instance, name=f"{instance.name:.80}, reversed order", buyers=buyers)


def no_single_crossing() -> Instance:
    """Two buyers who care more for each other's signals than for their own: Assumption 2 fails everywhere."""
    return Instance(
        "no single crossing",
        (
            Buyer("1", ("a1", "b1"), "a1 + b1 + 3*a2 + 3*b2"),
            Buyer("2", ("a2", "b2"), "a2 + b2 + 3*a1 + 3*b1"),
        ),
    )


def one_sided() -> Instance:
    """Buyer 1 always values the item more: Assumption 3 fails."""
    return Instance(
        "one-sided",
        (Buyer("1", ("a1", "b1"), "a1 + b1 + 2"), Buyer("2", ("a2", "b2"), "(a2 + b2 + 0.1*a1)/2")),
    )


def strictly_increasing() -> Instance:
    """Example 1 with every signal raising both values, one's own by more: the strict assumptions of Bikhchandani
    (2006), section 4, hold. The prices 1.1 p_j + 0.3 c_j + c_j^2 are strongly mutually pivotal: where s_i = s_j both
    values equal both prices, and if both buyers won, adding up would give (c_1 - c_2)^2 < 0."""
    return Instance(
        "strictly increasing",
        (
            Buyer("1", ("p1", "c1"), "p1 + 0.2*c1 + 0.1*(p2 + c2) + c1*c2"),
            Buyer("2", ("p2", "c2"), "p2 + 0.2*c2 + 0.1*(p1 + c1) + c1*c2"),
        ),
        citation="ours, after Bikhchandani 2006, Examples 1 and 2",
    )


def falling_value() -> Instance:
    """A buyer whose value falls in his first signal, which Zik excludes."""
    return Instance("falling value", (Buyer("1", ("a", "b"), "2 - a + b", externality="-1.6"),))


def wavy() -> Instance:
    """A buyer whose value neither rises nor falls along the boundary of the efficient rule: Zik's Theorem 8."""
    boundary = "0.95 - a + 0.1*sin(1.5*pi*a)"
    buyer = Buyer("1", ("a", "b"), "a + b", externality=f"-a - ({boundary})")
    return Instance("wavy boundary", (buyer,), citation="ours, for Zik, Theorem 8: U = b - f(a), V = a + b")


def three_roots() -> Instance:
    """V and U rise strictly, and yet W of Zik's Appendix A has three roots."""
    value = "0.3*a + 0.02*b + 0.5/(1 + exp(-60*(b - 0.5)))"
    return Instance(
        "three roots",
        (Buyer("1", ("a", "b"), value, externality=f"a + 0.05*b - 0.5 - ({value})"),),
        citation="ours",
    )


def efficient_at_one_price() -> Instance:
    """The efficient boundary is an isovalue curve: it crosses the static second best all along, and both conditions of
    Zik's Theorem 8 speak of no signal at all."""
    return Instance(
        "efficient at one price", (Buyer("1", ("a", "b"), "a + b", externality="-0.9"),), citation="ours"
    )
