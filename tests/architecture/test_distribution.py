"""The distribution is called automl-orchestrator, the import name automl."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import ROOT

TEXTS = ("*.py", "*.md", "*.toml", "*.yaml", "*.yml", "*.txt", "Makefile")
IMPORT_NAME_INSTALLED = re.compile(
    r"automl\[|pip install (-\S+ )*[\"']?automl(?!-orchestrator)\b|^automl==", re.MULTILINE
)


def test_texts_name_the_distribution() -> None:
    parts = [path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name != "mlruns"]
    files = [path for part in parts for pattern in TEXTS for path in part.rglob(pattern) if path.is_file()]
    files += [path for path in parts if path.is_file() and any(path.match(pattern) for pattern in TEXTS)]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in set(files) - {Path(__file__)}
        for match in IMPORT_NAME_INSTALLED.finditer(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not found
