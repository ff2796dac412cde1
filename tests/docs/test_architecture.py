"""The architecture page names every package, and the tables that it names exist."""

from __future__ import annotations

import re

from tests.support import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_architecture_names_every_package():
    names = {
        f"{file.name}/" if file.is_dir() else file.name
        for file in (ROOT / "automl").iterdir()
        if not file.name.startswith("_") and file.suffix in ("", ".py")
    }
    assert names == set(re.findall(r"^\|.*\| `([a-z]+/|[a-z_]+\.py)` \|", PAGE, flags=re.MULTILINE))


def test_architecture_tables_exist():
    rows = re.findall(r"\| `([A-Z_]+)` \| `(automl/[\w/.]+)` \|", PAGE)
    assert len(rows) >= 8
    for table, file in rows:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^{table}\b.* = ", text, flags=re.MULTILINE), table
