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
