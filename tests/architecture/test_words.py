"""Plain words and short lines in code, tests and docs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT
from tests.support.source import prose_files, word_hits

HITS_PER_1000_LINES = 1
MAX_COLUMNS = 120


def test_code_and_docs_use_plain_words():
    files = [path for path in prose_files(ROOT) if path != ROOT / "CHANGELOG.md"]
    hits = Counter({path.relative_to(ROOT).as_posix(): len(word_hits(path)) for path in files})
    n_lines = sum(path.read_text(encoding="utf-8").count("\n") for path in files)
    assert 1000 * hits.total() / n_lines < HITS_PER_1000_LINES, hits.most_common(20)


def test_docs_prose_fits_in_120_columns():
    found = {
        f"{path.relative_to(ROOT)}:{i}"
        for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]
        for i, line in _prose(path)
        if len(line) > MAX_COLUMNS and not line.startswith("|")
    }
    assert found == set()


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines outside code blocks."""
    in_code = False
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        in_code ^= line.lstrip().startswith("```")
        if not in_code:
            yield i, line
