"""Every tolerance of the project, with its unit. Nothing else in the package states one.

Arithmetic on programs and certificates is exact (integers); these are for comparisons of values.
"""

TIE = 1e-12
"""Two values of one fibre are equal when they differ by at most TIE times the larger of 1 and the
largest absolute value of that buyer (unit: values, relative)."""

INCENTIVE = 1e-9
"""A deviation must gain more than INCENTIVE times the larger of 1 and the largest absolute value
before it counts as profitable (unit: values, relative)."""

WELFARE = 1e-9
"""Two expected welfares agree when they differ by at most WELFARE times the larger of 1 and their
size (unit: expected value, relative)."""

ASSUMPTION = 1e-9
"""A monotonicity or single-crossing inequality of the papers is violated when it fails by more than
ASSUMPTION times the larger of 1 and the largest absolute value (unit: values, relative)."""

PIVOTAL = 1e-6
"""A pair of signals is mutually pivotal when its equalities hold to PIVOTAL times the larger of 1 and the
largest price: the search minimizes a largest deviation, which no search resolves better (unit: values,
relative)."""

MRS = 1e-5
"""Two marginal rates of substitution agree when they differ by at most MRS: they come from difference
quotients (unit: none)."""

VANISHING = 5e-3
"""A gain extrapolated from two grids vanishes when it is at most VANISHING (unit: expected value)."""
