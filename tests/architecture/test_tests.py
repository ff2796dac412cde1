"""The layout of the tests themselves."""

from __future__ import annotations

import re

from tests.support import ROOT
from tests.support.source import modules

EXTRA_FOLDERS = {"architecture", "docs", "golden", "support"}
NOT_MIRRORED = {"test_package", "test_wheel"}  # the whole package


def test_folders_mirror_packages():
    packages = {path.parent.name for path in ROOT.glob("automl/*/__init__.py")}
    folders = {path.parent.name for path in ROOT.glob("tests/*/*.py")}
    assert folders - packages - EXTRA_FOLDERS == set()


def test_modules_at_the_top_mirror_modules_at_the_top():
    known = {f"test_{path.stem}" for path in ROOT.glob("automl/*.py")} | NOT_MIRRORED
    assert {path.stem for path in ROOT.glob("tests/test_*.py")} - known == set()


def test_test_modules_are_not_imported():
    found = {
        f"{name}:{one.line} {one.target}"
        for name, module in modules(ROOT, "tests").items()
        for one in module.imports()
        if one.target.startswith("tests.") and not one.target.startswith("tests.support")
    }
    assert found == set()


def test_test_modules_have_at_most_400_lines():
    found = {name: one.n_lines for name, one in modules(ROOT, "tests").items() if one.n_lines > 400}
    assert found == {}


def test_tests_name_stores_of_mlflow_by_absolute_paths():
    relative = re.compile(r'MlflowClient\(f?"sqlite:///(?![/{])')  # opens the store of an earlier test
    found = [path.name for path in ROOT.glob("tests/*/test_*.py") if relative.search(path.read_text())]
    assert found == []
