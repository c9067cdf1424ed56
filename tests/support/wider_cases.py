"""Random correlated, discrete and multi-unit instances, and their numbers computed without the package."""

import itertools
import math

import numpy as np

from expost.instances import Buyer, Instance, discrete
from expost.spaces.type_space import Grid, discretize


class Case:
    """A random instance, and its states, values, gains and chances computed without the package."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.n = int(rng.integers(1, 4))
        self.units = int(rng.integers(1, self.n + 1))
        self.sequential = [bool(rng.random() < 0.6) and self.n < 3 for _ in range(self.n)]
        joint = rng.random() < 0.5
        if joint and self.n > 1:
            self.sequential = [False] * self.n
        points = 2 if self.n == 3 else 3
        self.sizes = [(2, 2) if two else (int(rng.integers(2, points + 1)),) for two in self.sequential]
        self.names = [[f"s{i}_{k}" for k in range(len(size))] for i, size in enumerate(self.sizes)]
        flat = [name for own in self.names for name in own]
        counts = dict(zip(flat, itertools.chain(*self.sizes), strict=True))
        self.atoms = {}
        for name in flat:
            if rng.random() < 0.6:
                values = np.sort(rng.choice(12, counts[name], replace=False)) / 10
                self.atoms[name] = (values.tolist(), rng.integers(1, 5, counts[name]).astype(float).tolist())
        self.texts = [self._formula(rng, flat, own) for own in self.names]
        self.seller = "0.3" if rng.random() < 0.4 else "0"
        self.externality = f"0.2*{flat[0]}" if rng.random() < 0.3 else "0"
        self.joint = self._density(rng, flat) if joint else None
        self.instance = Instance(
            f"case {seed}",
            [
                Buyer(str(i), self.names[i], self.texts[i], self.externality if i == 0 else "0")
                for i in range(self.n)
            ],
            priors={name: discrete(*atoms) for name, atoms in self.atoms.items()},
            parameters={"k": 0.5},
            seller=self.seller,
            joint=self.joint,
            units=self.units,
        )
        grid = {name: count for name, count in counts.items() if name not in self.atoms}
        self.space = discretize(self.instance, Grid(grid))
        self._tabulate(counts)

    @staticmethod
    def _formula(rng, flat, own):
        """Rises in the buyer's own signals; integers make ties."""
        terms = [f"{rng.integers(1, 3)}*{name}" for name in own]
        terms += [f"{rng.integers(-1, 3)}*{name}" for name in flat if name not in own and rng.random() < 0.7]
        return " + ".join(terms) + (f" + k*{own[0]}*{flat[-1]}" if rng.random() < 0.5 else "") + " - 1"

    @staticmethod
    def _density(rng, flat):
        a, b = rng.choice(flat, 2, replace=False) if len(flat) > 1 else (flat[0], flat[0])
        return str(rng.choice([f"1 + {a}*{b}", f"0.01 + ({a} - {b})**2", f"1 + 0.9*cos(pi*({a} - {b}))"]))

    def _tabulate(self, counts):
        lines = {
            name: self.atoms.get(
                name, ([(j + 0.5) / counts[name] for j in range(counts[name])], [1.0] * counts[name])
            )
            for own in self.names
            for name in own
        }
        shape = tuple(math.prod(size) for size in self.sizes)
        self.values, self.gains = np.zeros((self.n, *shape)), np.zeros((self.n, *shape))
        self.chances = np.zeros(shape)
        types = [
            list(itertools.product(*(zip(*lines[name], strict=True) for name in own))) for own in self.names
        ]
        for state in itertools.product(*(range(t) for t in shape)):
            at, chance = {"k": 0.5, "cos": math.cos, "pi": math.pi}, 1.0
            for i, t in enumerate(state):
                for name, (value, weight) in zip(self.names[i], types[i][t], strict=True):
                    at[name] = value
                    chance *= weight
            self.chances[state] = chance * (eval(self.joint, at) if self.joint else 1.0)
            for i in range(self.n):
                self.values[i][state] = eval(self.texts[i], at)
                extra = eval(self.externality, at) if i == 0 else 0.0
                self.gains[i][state] = self.values[i][state] + extra - float(self.seller)
        self.chances /= self.chances.sum()

    @property
    def stages(self):
        return [
            size if sequential else None for size, sequential in zip(self.sizes, self.sequential, strict=True)
        ]
