"""The page on families is generated from the tables."""

from automl.families import FAMILIES, reference
from tests.support import ROOT

PAGE = ROOT / "docs" / "families.md"
WRITE = "python -c 'from automl.families import reference; print(reference(), end=\"\")' > docs/families.md"


def test_reference_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == reference(), f"write it again: {WRITE}"


def test_reference_lists_rule_default_and_tasks():
    rows = {
        tuple(cell.strip() for cell in line.strip("|").split(" | ")[:3]) for line in reference().splitlines()
    }
    assert ("`optimizer.momentum.momentum`", "a number of at least 0 and below 1", "`0.9`") in rows
    assert ("`early_stopping`", "one of auto, true, false", "`auto`") in rows
    assert ("`class_weight`", "one of balanced, null", "`null` (classification)") in rows
    text = reference()
    for family in FAMILIES.values():
        assert f"\n## {family.name}\n" in text
        assert all(f"| `{key}" in text for key in family.section.parameters)
    assert "`logistic` (binary), `softmax` (multiclass), `squared` (regression)" in text
