"""What can go wrong, and the exit code that each kind of failure earns on the command line."""

LONGEST_PART = 400
"""Characters that each part of a message may have."""


class ExpostError(Exception):
    """A failure that is explained to the user in one line."""

    exit_code = 1


class InputError(ExpostError):
    """Unusable input: what was found, where, what was expected, how to mend it."""

    exit_code = 2

    def __init__(self, found: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        self.found, self.where, self.expected, self.remedy = map(brief, (found, where, expected, remedy))
        parts = [f"{self.where}: {self.found}" if where else self.found]
        if expected:
            parts.append(f"expected {self.expected}")
        if remedy:
            parts.append(self.remedy)
        super().__init__("; ".join(parts))


def brief(text: str, most: int = LONGEST_PART) -> str:
    """The text, or its beginning, on one line and without control characters: what a user gave may be anything."""
    short = text if len(text) <= most else text[: most - 3] + "..."
    line = " ".join(short.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else f"{c!a}"[1:-1] for c in line)


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
