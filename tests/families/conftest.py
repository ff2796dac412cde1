import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Limit threads: on small tables boosting mostly waits for them."""
    with threadpool_limits(1):
        yield
