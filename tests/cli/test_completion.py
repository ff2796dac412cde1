"""Completion of values in the shell."""

from __future__ import annotations

import sys

import pytest

from automl.cli import main
from automl.study import PRUNERS, SAMPLERS


@pytest.fixture
def complete(monkeypatch, capsys, tmp_path):
    """Return what bash would offer for a command line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_text("age;churn;city\n1;yes;a\n")
    (tmp_path / "mine.yaml").write_text("space: {model: linear}\n")
    (tmp_path / "mlruns" / "studies").mkdir(parents=True)
    (tmp_path / "mlruns" / "studies" / "birds.journal").touch()

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("_AUTOML_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        monkeypatch.setattr(sys, "argv", ["automl"])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out.split()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("automl sea", ["search"]),
        ("automl search customers.csv --target ", ["age", "churn", "city"]),
        ("automl search customers.csv --n-trials 3 --target c", ["churn", "city"]),
        ("automl search absent.csv --target ", []),
        ("automl search customers.csv --space qu", ["quick"]),
        ("automl search customers.csv --space mi", ["mine.yaml"]),
        ("automl search customers.csv --scoring r2", ["r2"]),
        ("automl search customers.csv --sampler ", sorted(SAMPLERS)),
        ("automl search customers.csv --pruner ", sorted(PRUNERS)),
        ("automl resume b", ["birds"]),
        ("automl runs ", ["birds"]),
        ("automl report ", ["birds"]),
        ("automl leaderboard --jso", ["--json"]),
    ],
)
def test_shell_offers_names(complete, line, offered):
    assert complete(line) == offered
