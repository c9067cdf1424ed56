import pytest

from expost.instances import catalogue
from expost.runs.settings import Settings
from expost.runs.solve import solve
from expost.spaces.type_space import Grid


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """The first solve of an installation says that it compiles; these tests look at what comes after."""
    solve(catalogue.load("jmmz"), Settings(Grid(2)))
