"""Texts by their shapes give the numbers and answers of texts one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from automl.table import number_texts, texts
from automl.table.number_texts import has_codes, read_numbers
from automl.table.shapes import Shapes
from automl.table.text_bytes import byte_at, has_byte, stripped

N = 2_000
FORMS = {
    "dollars": ("${:,.2f}", "."),
    "negative dollars": ("-${:,.2f}", "."),
    "in parentheses": ("({:,.1f})", "."),
    "percent": ("{:.3f} %", "."),
    "with a word": ("EUR {:.0f}", "."),
    "exponents": ("{:.4e}%", "."),
    "too many digits": ("${:,.14f}", "."),
    "minus sign": ("−{:.2f} €", "."),
    "commas": ("{:.2f} €", ","),
}


def large(cells) -> pa.Array:
    return pa.array(cells, pa.large_string())


@pytest.mark.parametrize("form", FORMS)
def test_read_numbers_is_the_same_by_shapes(form, monkeypatch):
    pattern, decimal = FORMS[form]
    cells = [pattern.format(value) for value in np.random.default_rng(0).uniform(0, 5e4, N)]
    cells = [cell.replace(".", ",") for cell in cells] if decimal == "," else cells
    cells[7], cells[8], cells[9] = "n/a", "$1,23", "12 kg"
    found = read_numbers(large(cells), decimal)
    assert Shapes.of(large(cells)) is not None
    monkeypatch.setattr(number_texts.Shapes, "of", lambda texts: None)
    plain = read_numbers(large(cells), decimal)
    np.testing.assert_array_equal(found.values, plain.values)
    np.testing.assert_array_equal(found.other, plain.other)
    assert np.flatnonzero(found.other).tolist() == ([9] if decimal == "," else [8, 9])


def test_shapes_are_not_made_of_few_texts_or_of_prose():
    assert Shapes.of(large(["$1"] * 10)) is None
    assert Shapes.of(large([f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}" for i in range(N)])) is None
    assert Shapes.of(large(["$1"] * N + [None])) is None


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        (["01"], True), (["+01"], True), (["-0x1F"], True), (["0X1f"], True), (["00"], True), (["007 a"], True),
        (["0"], False), (["-0"], False), (["0.5", "-0.5"], False), (["01:30"], False), (["10"], False), ([], False),
        (["", "5"], False), (["a01"], False), (["0.5"] * 100 + ["01"], True), (["é01", "0"], False),
    ],
)  # fmt: skip
def test_has_codes_finds_leading_zeros(cells, codes):
    assert has_codes(large(cells)) == codes
    assert has_codes(large(["9", *cells])[1:]) == codes  # a slice of a longer array


def test_is_missing_knows_every_word_in_both_cases():
    words = sorted(texts.MISSING)
    both = large([*words, *(word.upper() for word in words)])
    assert texts.is_missing(both).all()
    without = both.filter(pc.invert(pc.match_substring(both, "#")))
    assert texts.is_missing(without).all()
    others = ["1", "-1", "-1.5", "1.#", "nap", "mist", "..", "-a", "#1", "<b>", "\\", "ñ", "0"]
    assert not texts.is_missing(large(others)).any()


def test_bytes_of_texts():
    cells = large(["ab", "", "c", " d ", "\u00a0e", None])
    assert byte_at(cells, 0).tolist()[:4] == [97, 0, 99, 32]
    assert byte_at(cells, -1).tolist()[:4] == [98, 0, 99, 32]
    assert byte_at(cells[1:3], 1).tolist() == [0, 0]
    assert has_byte(cells, "c")
    assert not has_byte(cells[3:], "c")
    assert stripped(cells).to_pylist() == ["ab", "", "c", "d", "e", None]
    assert stripped(cells[:3]).to_pylist() == ["ab", "", "c"]
