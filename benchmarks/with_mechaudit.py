"""The instance jmmz through mechaudit, a general linear program for finite mechanisms. Needs only mechaudit.

Prints value, seconds and peak memory as JSON; ``two_buyers.py --mechaudit`` runs it.
"""

import json
import resource
import sys
import time

from mechaudit import (
    ExpectedSocialWelfare,
    ExPostIC,
    ExPostIR,
    FiniteEnvironment,
    InterdependentValues,
    JointPrior,
)


def main() -> None:
    points = int(sys.argv[1])
    levels = [(k + 0.5) / points for k in range(points)]
    types = [(a, b) for a in range(points) for b in range(points)]
    begun, cpu = time.perf_counter(), time.process_time()

    def value(agent: str, profile: dict, outcome: str) -> float:
        if outcome != agent:
            return 0.0
        return levels[profile[agent][0]] + levels[profile["1"][1]] * levels[profile["2"][1]]

    even = dict.fromkeys(types, 1.0 / len(types))
    environment = FiniteEnvironment(
        agents={"1": types, "2": types},
        outcomes=["keep", "1", "2"],
        prior=JointPrior.from_independent({"1": even, "2": even}),
        values=InterdependentValues(value),
    )
    problem = environment.design(objective=ExpectedSocialWelfare(), requirements=(ExPostIC(), ExPostIR()))
    found = problem.solve().objective_value
    print(
        json.dumps(
            {
                "value": found,
                "cpu": time.process_time() - cpu,
                "wall": time.perf_counter() - begun,
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
