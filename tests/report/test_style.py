from __future__ import annotations

from itertools import combinations

from automl.families import FAMILIES
from automl.report.style import looks


def test_looks_differ_in_two_of_colour_marker_and_line():
    found = looks(FAMILIES)
    assert set(found) == set(FAMILIES)
    for one, other in combinations(found.values(), 2):
        assert one.marker != other.marker or one.color != other.color
        assert one.line != other.line or one.color != other.color
    assert len(set(found.values())) == len(FAMILIES)


def test_looks_of_few_families_differ_without_colours():
    found = looks(sorted(FAMILIES)[:8])
    assert len({look.marker for look in found.values()}) == 8
    assert len({look.line for look in found.values()}) == 8
