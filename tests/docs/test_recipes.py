"""Each recipe of the page changes one file and one table row of a copy of the package, and then works."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.pages import sample_table

PAGE = ROOT / "docs" / "recipes.md"
HEAD = """
import automl
from tests.support.pages import shortened
Search = automl.Search
automl.Search = lambda *args, **settings: Search(*args, **shortened(settings))
X, y = automl.read_table("customers.csv", target="churn")
"""


@dataclass(frozen=True)
class Recipe:
    """The code goes to a file, the row to a table in the same file or another one."""

    title: str
    file: str
    code: str
    table: str
    table_file: str
    row: str
    trial: str


def read_recipes() -> list[Recipe]:
    found = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        files = re.findall(r"`(automl/[\w/.]+)`", section)
        code, row, trial = re.findall(r"^```python\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
        ((table, table_file),) = re.findall(r"a row to `(\w+)`(?:\s+in\s+`(automl/[\w/.]+)`)?", section)
        found.append(
            Recipe(section.splitlines()[0], files[0], code, table, table_file or files[0], row, trial)
        )
    return found


def apply(recipe: Recipe, root: Path) -> None:
    """Write the code before the table, or to a new file, and the row into the table; imports go to the top."""
    file, table_file = root / recipe.file, root / recipe.table_file
    lines = recipe.row.splitlines(keepends=True)
    imports = [line for line in lines if re.match(r"from|import", line)]
    row = "".join(line for line in lines if line not in imports and line.strip())
    text = table_file.read_text(encoding="utf-8")
    opening = rf"^{recipe.table}\b.*= [{{(\[]\n(    family.name: family\n    for family in \(\n)?"
    start = re.search(opening, text, flags=re.MULTILINE)
    assert start, f"{recipe.table_file} has no table {recipe.table}"
    before, after = text[: start.start()], text[start.start() :]
    head = start[0]
    key = re.match(r'    "\w+": ', row)
    if key and (old := re.search(rf"^{re.escape(key[0])}.*\n", after, flags=re.MULTILINE)):  # the row changes
        after = after.replace(old[0], row, 1)
    else:
        after = head + row + after.removeprefix(head)
    if imports:  # before the first import of another package than Python's
        first = re.search(r"^from (automl|sklearn)\b", before, flags=re.MULTILINE)
        assert first
        before = before[: first.start()] + "".join(imports) + before[first.start() :]
    if file == table_file:
        before += recipe.code + "\n\n"
    else:
        assert not file.exists()
        file.write_text(recipe.code, encoding="utf-8")
    table_file.write_text(before + after, encoding="utf-8")


def changed_files(root: Path) -> list[str]:
    """Return the files of the copy that differ from the package's."""
    return [
        str(file.relative_to(root))
        for file in sorted((root / "automl").rglob("*.py"))
        if not (old := ROOT / file.relative_to(root)).exists() or old.read_bytes() != file.read_bytes()
    ]


RUN_ALL = """
import json, os, sys, traceback
import matplotlib.pyplot, mlflow.sklearn, optuna, pandas, sklearn.ensemble, sklearn.pipeline, skops.io  # once for all
for folder, root, program in json.load(sys.stdin):
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.path[:0] = [root]
        os.environ["PYTHONPATH"] = root + os.pathsep + os.environ["PYTHONPATH"]
        try:
            exec(program, {"__name__": "__main__"})
        except BaseException:
            with open("failed", "w") as file:
                traceback.print_exc(file=file)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        open(os.path.join(folder, "ended"), "w").close()
"""


@pytest.fixture(scope="module")
def copies(tmp_path_factory, empty_store):
    """Apply each recipe to a copy of the package, run its trial in a process of its own; return the folders."""
    X, y = sample_table()
    roots, programs = {}, []
    for recipe in read_recipes():
        folder = tmp_path_factory.mktemp("recipe")
        root = roots[recipe.title] = folder / "copy"
        shutil.copytree(ROOT / "automl", root / "automl", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "search_spaces", root / "search_spaces")
        (folder / "mlruns").mkdir()
        shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
        X.assign(churn=y).to_csv(folder / "customers.csv", index=False)
        apply(recipe, root)
        check = f"assert automl.__file__.startswith({str(root)!r})"
        programs.append((str(folder), str(root), f"{HEAD}{recipe.trial}\n{check}"))
    subprocess.run(
        [sys.executable, "-c", RUN_ALL],
        input=json.dumps(programs),
        text=True,
        env=os.environ | {"AUTOML_NUMBA": "0", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    return roots


@pytest.mark.slow
@pytest.mark.xdist_group("recipes")  # one process imports the libraries for all
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("recipe", read_recipes(), ids=lambda recipe: recipe.title.replace(" ", "_"))
def test_recipe_works_with_one_file_and_one_row(recipe, copies):
    root = copies[recipe.title]
    assert set(changed_files(root)) == {recipe.file, recipe.table_file}
    old, new = ((top / recipe.table_file).read_text(encoding="utf-8") for top in (ROOT, root))
    changes = list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=0))[2:]
    removed = [line for line in changes if line.startswith("-")]
    assert len(removed) <= 1  # the row that changes, if the recipe changes one

    failed = root.parent / "failed"
    assert (root.parent / "ended").exists()
    assert not failed.exists(), failed.read_text()


def test_page_command_writes_families_page(tmp_path):
    (command,) = re.findall(
        r"^```sh\n(.*?)\n```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "docs").mkdir()
    command = command.replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    written = (tmp_path / "docs" / "families.md").read_text(encoding="utf-8")
    assert written == (ROOT / "docs" / "families.md").read_text(encoding="utf-8")


def test_page_has_eight_recipes():
    assert len(read_recipes()) == 8
