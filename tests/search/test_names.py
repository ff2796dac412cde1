"""Names of studies and of registered models."""

from threading import Thread

import pytest

from automl.search.names import new_name, plain_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("arr_delay", "arr_delay"),
        ("class", "class"),
        ("price (EUR)", "price-EUR"),
        ("../x", "x"),
        ("Größe", "Größe"),
        ("価格", "価格"),
        ("цена", "цена"),
    ],
)
def test_plain_name(name, plain):
    assert plain_name(name) == plain


def test_plain_names_stay_apart():
    names = ["%%", "??", "", "x" * 260, "x" * 261, "価" * 100, "価" * 101, "цена", "価格"]
    plain = [plain_name(name) for name in names]
    assert len(set(plain)) == len(names)
    assert all(len(name.encode()) < 140 for name in plain)


def test_new_names_of_one_moment_differ():
    found: list[str] = []
    threads = [Thread(target=lambda: found.extend(new_name("y") for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2000
