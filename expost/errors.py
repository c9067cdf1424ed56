"""What can go wrong, and the exit code that each kind of failure earns on the command line."""


class ExpostError(Exception):
    """A failure that is explained to the user in one line."""

    exit_code = 1


class InputError(ExpostError):
    """Unusable input: what was found, where, what was expected, how to mend it."""

    exit_code = 2

    def __init__(self, found: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        self.found, self.where, self.expected, self.remedy = found, where, expected, remedy
        parts = [f"{where}: {found}" if where else found]
        if expected:
            parts.append(f"expected {expected}")
        if remedy:
            parts.append(remedy)
        super().__init__(" ".join("; ".join(parts).split()))


class CheckFailed(ExpostError):
    """A saved run or a theorem failed a check."""

    exit_code = 1


class AuditError(ExpostError):
    """A rule that a solver returned is not feasible or not incentive compatible: never an answer."""

    exit_code = 1


class SolverError(ExpostError):
    """A solver died, returned garbage or refused the program."""

    exit_code = 1


class LimitReached(ExpostError):
    """A limit stopped the solver before it had any answer."""

    exit_code = 3
