"""Helpers that several test modules share. Test modules never import from each other."""

from pathlib import Path

ROOT = Path(__file__).parents[2]  # of the repository
