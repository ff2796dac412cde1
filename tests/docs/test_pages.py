"""The pages: every block runs, links lead somewhere, and the prose is plain."""

from __future__ import annotations

import re

import pytest

from tests.support import ROOT
from tests.support.pages import PAGES, PageRunner, blocks, prose
from tests.support.source import PATTERN

WORDS = 25  # of a sentence, at most


SLOW = [
    "README.md",
    *(
        f"docs/{stem}.md"
        for stem in ("getting-started", "how-a-search-works", "mlflow", "parallel", "resuming")
    ),
    *(
        f"docs/{stem}.md"
        for stem in (
            "running",
            "spaces",
            "targets",
            "explain",
            "report",
            "scores",
            "scikit-learn",
            "deploy",
            "scripts",
            "extending-spaces",
        )
    ),
]
SLOW.append("docs/from-table-to-decision.md")
RECIPES = "docs/recipes.md"  # applied by test_recipes


def name(page):
    return str(page.relative_to(ROOT))


def with_blocks():
    """Return the pages with blocks; those with several searches are slow."""
    pages = [page for page in PAGES if blocks(page) and name(page) != RECIPES]
    return [
        pytest.param(page, id=name(page), marks=[pytest.mark.slow] if name(page) in SLOW else [])
        for page in pages
    ]


@pytest.mark.parametrize("page", with_blocks())
def test_page_blocks_run(page, folder, monkeypatch, capsys):
    runner = PageRunner(page, folder, monkeypatch)
    for block in blocks(page):
        try:
            runner.run(block)
        except BaseException as error:
            error.add_note(f"in the block of {page.name}:{block.line}; printed: {capsys.readouterr().err}")
            raise


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_links_resolve(page):
    text = page.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_prose_is_plain(page):
    lines = list(prose(page))
    assert not [number for number, line in lines if len(line) > 120 and "](" not in line]
    assert not PATTERN.findall(page.read_text(encoding="utf-8"))
    if page.name == "CHANGELOG.md":
        return
    lines = [(number, line.replace("**", "")) for number, line in lines]
    text = "\n".join("" if re.match(r"#|[-*] |\d+\. |!\[|$", line) else line for _, line in lines)
    items = [line for _, line in lines if re.match(r"[-*] |\d+\. ", line)]
    for sentence in re.split(r"(?<=[.!?:;])\s+|\n\n+", text + "\n\n" + "\n\n".join(items)):
        words = re.sub(r"`[^`]*`|\]\([^)]*\)", "code", sentence).split()
        assert len(words) <= WORDS, sentence
