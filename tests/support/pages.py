"""Run the code blocks of a Markdown page: Python, doctests, spaces in YAML, and shell commands."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.cli import main
from automl.descent import OPTIMIZERS
from automl.errors import SpaceError
from tests.support import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mlruns/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SHORT = {"timeout": None, "progress": False}
N_TRIALS = 4
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, its first line, and the `text` block that follows, if any."""

    kind: str
    text: str
    line: int
    output: str


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page; an output block belongs to the one before."""
    text = page.read_text(encoding="utf-8")
    found = list(re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE))
    return [
        Block(
            match[1],
            match[2],
            text[: match.start()].count("\n") + 2,
            following[2] if following and following[1] == "text" else "",
        )
        for match, following in zip(found, [*found[1:], None], strict=False)
        if match[1] != "text"  # a `text` block alone is a drawing
    ]


class PageRunner:
    """Runs blocks one after the other in one namespace and one folder, with short searches.

    The namespace starts with `automl`, a table `X` and a target `y`; the folder has the table as `customers.csv`.
    """

    def __init__(self, page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page, self.folder, self.patch = page, folder, monkeypatch
        X, y = sample_table()
        X.assign(churn=y).to_csv(folder / "customers.csv", index=False)
        self.names: dict[str, Any] = {"__name__": "__main__", "automl": automl, "X": X, "y": y}
        search = automl.Search
        monkeypatch.setattr(automl, "Search", lambda *args, **given: search(*args, **shortened(given)))

    def run(self, block: Block) -> None:
        """Run one block; an exception is a failure of the page."""
        if block.kind == "python":
            self._python(block)
        elif block.kind == "yaml":
            self._yaml(block)
        elif block.kind == "sh":
            for line in block.text.splitlines():
                self._command(shlex.split(line, comments=True))
        elif block.kind == "bash":
            self._script(block)
        else:
            raise AssertionError(
                f"{self.page.name}:{block.line}: blocks of kind {block.kind!r} cannot be run"
            )

    def _python(self, block: Block) -> None:
        if ">>>" not in block.text:
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, self.page.name, "exec"), self.names)
            return
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, self.page.name, str(self.page), block.line
        )
        printed: list[str] = []
        failed = doctest.DocTestRunner().run(test, out=printed.append, clear_globs=False).failed
        self.names |= test.globs
        assert not failed, "".join(printed)

    def _yaml(self, block: Block) -> None:
        """Load a space, or expect the faults of the output block; save a space under its name for later blocks."""
        if block.output:
            with pytest.raises(SpaceError) as caught:
                automl.load_space(block.text)
            assert str(caught.value) == block.output.replace("{optimizers}", ", ".join(OPTIMIZERS)).strip()
            return
        partial = not re.search(r"^(space|include):", block.text, flags=re.MULTILINE)
        text = f"space: {{model: linear}}\n{block.text}" if partial else block.text
        space = automl.load_space(text)
        space.validate(space.sample(np.random.default_rng(0)))
        named = re.search(r"^name: (\S+)$", text, flags=re.MULTILINE)
        (self.folder / f"{named[1] if named else 'my_space'}.yaml").write_text(text)

    def _script(self, block: Block) -> None:
        """Run a block as a script of bash, with the command `automl` of this checkout."""
        command = self.folder / "bin" / "automl"
        if not command.exists():
            command.parent.mkdir()
            program = "import sys; sys.argv[0] = 'automl'; from automl.cli import main; main()"
            command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -c "{program}" "$@"\n')
            command.chmod(0o755)
        paths = {"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        subprocess.run(["bash", "-c", block.text], check=True, env={**os.environ, **paths})

    def _command(self, words: list[str]) -> None:
        match words:
            case []:
                return
            case ["automl", *arguments]:
                self._automl(arguments)
            case ["make", target]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
            case ["source", "serving/bin/activate"] | [
                "pip",
                "install",
                "-r",
                "churn_model/requirements.txt",
            ]:
                return  # of an environment that the page makes
            case ["mlflow", "models", "serve" | "prepare-env", *_]:
                return
            case ["pip", "install", *targets]:
                assert all(re.fullmatch(r"\.|\.\[\w+\]", target) for target in targets)
                assert {extra for target in targets for extra in re.findall(r"\[(\w+)\]", target)} <= {
                    *EXTRAS
                }
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module), module
            case ["python", script, *options]:
                text = (ROOT / script).read_text()
                missing = [option for option in options if option.startswith("--") and option not in text]
                assert not missing, f"{script} has no {missing}"
            case ["git" | ".venv/bin/python" | "curl", *_]:
                return
            case _:
                raise AssertionError(f"{self.page.name}: unknown command {shlex.join(words)}")

    def _automl(self, words: list[str]) -> None:
        command, *arguments = words
        arguments = [self._run_id(command) if word == "RUN_ID" else word for word in arguments]
        if command == "ui":  # a server, which would not end
            arguments.append("--help")
        if command in ("search", "resume"):
            arguments = shortened_arguments(arguments)
        self.patch.setattr(sys, "argv", ["automl", command, *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code, f"{self.page.name}: {shlex.join(words)}"

    def _run_id(self, command: str) -> str:
        """Return the newest run of a search, or for `replay` of a complete trial."""
        wanted = ("automl.state", "complete") if command == "replay" else ("automl.kind", "search")
        files = sorted(
            [*self.folder.glob("*.db"), *self.folder.glob("mlruns/mlflow.db")],
            key=lambda file: file.stat().st_mtime,
        )
        for file in reversed(files):
            with sqlite3.connect(file) as store:
                query = (
                    "select runs.run_uuid from runs join tags on tags.run_uuid = runs.run_uuid "
                    "where tags.key = ? and tags.value = ? order by start_time desc limit 1"
                )
                if found := store.execute(query, wanted).fetchall():
                    return str(found[0][0])
        raise AssertionError("no run to take RUN_ID from")


def sample_table() -> tuple[pd.DataFrame, pd.Series]:
    """Return 120 rows of numbers and a category, and a target of two classes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 3)), columns=["age", "visits", "spent"])
    X["plan"] = rng.choice(["basic", "plus", "pro"], 120)
    noise = rng.normal(scale=0.5, size=120)
    return X, pd.Series(np.where(X["age"] + noise > 0, "yes", "no"), name="churn")


def shortened(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a search that ends after a few trials."""
    return (
        {"n_jobs": 1} | settings | SHORT | {"n_trials": min(settings.get("n_trials") or N_TRIALS, N_TRIALS)}
    )


def shortened_arguments(arguments: list[str]) -> list[str]:
    """Return arguments of a search that ends after a few trials."""
    limits = [at for at, word in enumerate(arguments) if word in ("--timeout", "--n-trials", "--n-jobs")]
    kept = [word for at, word in enumerate(arguments) if not {at, at - 1} & {*limits}]
    return [*kept, "--n-trials", str(N_TRIALS), "--n-jobs", "1", "--no-progress"]


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page that are neither code nor table, each with its number."""
    code = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("```"):
            code = not code
        elif not code and not line.startswith("|"):
            yield number, line
