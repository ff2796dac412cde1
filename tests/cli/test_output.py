"""Output for scripts: ``--json``, ``--quiet``, exit codes; and the lines after a search."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from automl.cli.listing import runs, studies
from automl.cli.output import output
from automl.tracking import RunRow

SEARCH = ("search", "penguins.csv.gz", "--target", "species", "--space", "tree.yaml", "--n-jobs", 1)
OWN = "def right(estimator, X, y):\n    return float((estimator.predict(X) == y).mean())\n"


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def test_json_is_one_object_a_line_and_quiet_prints_names(table, streams):
    code, out, _ = streams(*SEARCH, "--n-trials", 3, "--study-name", "birds", "-o", "model", "--json")
    assert code == 0
    *trials, found = objects(out)
    assert [(one["event"], one["trial"], one["family"]) for one in trials] == [
        ("trial", number, "decision_tree") for number in range(3)
    ]
    assert found["event"] == "result"
    assert (found["study"], found["trials"], found["folder"]) == ("birds", 3, "model")
    assert found["score"] == max(one["score"] for one in trials)
    assert found["best"]["params"]["model"] == "decision_tree"

    (study,) = objects(streams("studies", "--json")[1])
    assert (study["study"], study["trials"], study["run_id"]) == ("birds", 3, found["run_id"])
    assert streams("studies", "--quiet")[1] == "birds\n"
    (run,) = objects(streams("runs", "--json")[1])
    assert (run["run_id"], run["state"], run["score"]) == (found["run_id"], "finished", found["score"])
    below = objects(streams("runs", "birds", "--json")[1])
    assert [one["score"] for one in below] == sorted((one["score"] for one in trials), reverse=True)
    code, out, _ = streams("replay", below[0]["run_id"], "--json")
    assert (code, objects(out)[0]["same"]) == (0, True)

    rows = objects(streams("leaderboard", "--json")[1])
    assert [row["score"] for row in rows if row["state"] == "complete"] == [one["score"] for one in below]
    assert streams("leaderboard", "-q")[1].split() == [
        str(row["trial"]) for row in rows if row["trial"] is not None
    ]
    assert streams("export", found["run_id"], "again", "--quiet")[1] == "again\n"
    code, out, _ = streams("predict", "model", "rows.parquet", "-o", "out.csv", "--json")
    assert objects(out) == [{"rows": 344, "file": "out.csv"}]
    (metrics,) = objects(streams("evaluate", "model", "penguins.csv.gz", "--json")[1])
    assert metrics["accuracy"] > 0.8
    code, out, err = streams("resume", "birds", "--n-trials", 4, "--quiet")
    assert (code, out, err) == (0, found["run_id"] + "\n", "")


def test_search_ends_with_the_best_result_and_the_next_commands(table, streams):
    Path("model").mkdir()
    code, out, _ = streams(*SEARCH, "--n-trials", 2, "--study-name", "two birds", "--storage", "s.journal")
    assert code == 0
    assert "best: trial " in out
    assert " model-2\n" in out.split("automl export ")[1]
    assert "automl resume 'two birds' --n-trials 4 --storage s.journal\n" in out
    assert re.search(r"automl ui \w{32}  \(http://127.0.0.1:5000/#/experiments/", out)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_lists_cut_no_name_and_no_number(monkeypatch, width):
    monkeypatch.setattr(output, "form", "text")
    monkeypatch.setattr("automl.cli.listing.console", Console(width=width))
    monkeypatch.setattr(
        "automl.cli.output.console", printed := Console(width=width, record=True, file=io.StringIO())
    )
    study = "churn-20261128-233721-957231"
    rows = [RunRow("a" * 32, study, "finished", 0.852091, 0.0, 1.0)]
    monkeypatch.setattr("automl.tracking.list_runs", lambda *_: rows)
    runs()
    record = {
        "study": study,
        "target": "churn",
        "scoring": "neg_log_loss",
        "family": "hist_gradient_boosting",
    }
    monkeypatch.setattr("automl.study.known_studies", lambda *_: [study])
    row = {**record, "trials": 1200, "unfinished": 0, "score": 0.852091, "run_id": None, "fault": None}
    monkeypatch.setattr("automl.cli.listing._study", lambda *_: row)
    studies()
    text = printed.export_text()
    assert "a" * 32 in text
    assert study in text
    assert set(re.findall(r"\d\.\d+", text)) <= {"0.85209"}
    assert max(map(len, text.splitlines())) <= width


def test_faults_of_options_file_and_settings_are_reported_at_once(table, streams):
    code, out, err = streams(
        "search", "penguin.csv.gz", "--target", "species", "--space", "tre.yaml", "--column", "Sex", "--json",
        "--class-weight", "a=b", "--sampler", "tpee", "--pruner", "medan", "--scoring", "accuracyy", "--timeout", 0,
    )  # fmt: skip
    assert code == 2
    (error,) = objects(out)
    assert (error["event"], error["exit_code"]) == ("error", 2)
    where = [fault["where"] for fault in error["faults"]]
    assert where == [
        "--column", "--class-weight", "timeout", "scoring", "sampler", "pruner", "space", "penguin.csv.gz",
    ]  # fmt: skip
    assert all(fault["where"] in err for fault in error["faults"])


def test_scorer_for_numbers_is_refused_before_training(table, streams):
    code, _, err = streams(*SEARCH, "--scoring", "r2")
    assert code == 2
    assert "must be able to score a multiclass target" in err
    assert not Path("mlruns/studies").exists()


def test_modules_of_the_folder_are_found_with_two_workers(table):
    (table / "own_scorers_here.py").write_text(OWN)
    program = "import sys; sys.argv[0] = 'automl'; from automl.cli import main; main()"
    words = [
        *map(str, SEARCH[:-1]),
        "2",
        "--n-trials",
        "2",
        "--scoring",
        "own_scorers_here:right",
        "--study-name",
        "s",
    ]
    # -P: without the folder in the path, as the script `automl` runs.
    command = [sys.executable, "-P", "-c", program, *words, "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert 0.5 < objects(ended.stdout)[-1]["score"] <= 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["studies"], 0),
        (["serch"], 2),
        (["search"], 2),
        (["leaderboard", "nothing"], 2),
        (["runs"], 0),
        (["runs", "--tracking-uri", "sqlite:///absent.db"], 1),
        (["export", "0123", "model", "--tracking-uri", "sqlite:///absent.db"], 1),
    ],
)
def test_exit_code_tells_faults_from_failures(folder, streams, words, code):
    assert streams(*words)[0] == code


def test_closed_pipe_ends_without_a_traceback(folder):
    program = "from automl.cli import main; main()"
    for words in (
        ["spaces", "schema"],
        ["spaces", "show", "tabular"],
        ["spaces", "sample", "tabular", "-n", "40"],
    ):
        with subprocess.Popen(
            [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        ) as process:
            process.stdout.close()
            errors = process.stderr.read().decode()
            assert process.wait(timeout=60) == 141
        assert errors == ""


def test_no_color_and_pipes_have_no_escapes(folder):
    environment = {**os.environ, "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}
    command = [sys.executable, "-c", "from automl.cli import main; main()", "spaces", "list"]
    ended = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert b"\x1b[3" not in ended.stdout
