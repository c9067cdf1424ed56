import pytest

import expost as ex


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """The first solve of an installation says that it compiles; these tests look at what comes after."""
    ex.solve("jmmz", 2)
