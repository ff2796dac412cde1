"""`automl spaces`."""

from __future__ import annotations

import json
from functools import partial

import pytest
import yaml

import automl
from automl.space import shipped_names

SPACE = """\
name: mine
about: A tree.
space:
  model:
    choice:
      decision_tree: {max_depth: {low: 1, high: 4}, criterion: gini}
      linear: {loss: [logistic, hinge], learning_rate: {low: 0.01, high: 0.1}}
forbid:
  - {loss: hinge, learning_rate: {above: 0.05}}
enqueue:
  - {model: decision_tree, max_depth: 2}
"""


@pytest.fixture
def run(streams, monkeypatch, tmp_path):
    """Run `automl spaces` in a folder with a space; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "mine.yaml").write_text(SPACE)
    return partial(streams, "spaces")


def test_list_prints_all_spaces_and_their_folder(run):
    code, printed, _ = run("list")
    assert code == 0
    for name in shipped_names():
        assert f" {name} " in printed
        assert automl.load_space(name).about[:30] in printed
    assert "search_spaces" in printed


def test_show_prints_tree_rules_and_initial_points(run):
    code, printed, _ = run("show", "mine.yaml")
    assert code == 0
    for part in (
        "mine for binary, multiclass, regression\nA tree.\n└── model one of",
        "│   ├── max_depth  1 to 4, whole",
        "forbidden\n  {loss: hinge, learning_rate: {above: 0.05}}",
        "tried first\n  {model: decision_tree, max_depth: 2}",
        "infinitely many configurations; dimensions: decision_tree 1, linear 2",
    ):
        assert part in printed


@pytest.mark.parametrize("name", shipped_names())
def test_show_and_check_accept_shipped_spaces(run, name):
    code, printed, _ = run("show", name)
    assert (code, printed.split()[0]) == (0, name)
    code, printed, _ = run("check", name)
    assert code == 0
    assert automl.load_space(name).digest() in printed


def test_check_prints_all_faults(run, tmp_path):
    faulty = SPACE.replace("max_depth: {low", "max_dept: {low").replace("[logistic, hinge]", "hnge")
    (tmp_path / "faulty.yaml").write_text(faulty)
    for command in (["check", "faulty.yaml"], ["show", "faulty.yaml"], ["diff", "mine.yaml", "faulty.yaml"]):
        code, printed, errors = run(*command)
        assert (code, printed) == (2, "")
        assert "error: 2 faults:" in errors
        assert "faulty.yaml:6 model.decision_tree.max_dept: must be a key of model.decision_tree" in errors
        assert 'Did you mean "max_depth"?' in errors
        assert "faulty.yaml:7 model.linear.loss" in errors
    code, _, errors = run("check", "tabluar")
    assert code == 2
    assert 'Did you mean "tabular"?' in errors


def test_check_rejects_values_for_no_task(run, tmp_path):
    (tmp_path / "numbers.yaml").write_text("task: regression\n" + SPACE)
    code, _, errors = run("check", "numbers.yaml")
    assert code == 2
    assert "numbers.yaml:7 model.decision_tree.criterion: must fit regression" in errors
    assert errors.count("model.linear.loss: must fit regression") == 2


def test_check_reports_an_estimator_that_fails(run, tmp_path):
    text = "space: {{model: {{choice: {{margin: {{estimator: sklearn.svm.LinearSVC, dual: {}, loss: hinge}}}}}}}}\n"
    (tmp_path / "margin.yaml").write_text(text.format("false"))
    code, _, printed = run("check", "margin.yaml")
    assert code == 2
    words = " ".join(printed.split())
    assert "its default configuration must train (Unsupported set of arguments" in words
    assert "got estimator: sklearn.svm.LinearSVC, dual: false, loss: hinge." in words
    (tmp_path / "margin.yaml").write_text(text.format("[false, true]") + "forbid: [{dual: false}]\n")
    code, printed, _ = run("check", "margin.yaml")
    assert (code, "is valid" in printed) == (0, True)


def test_sample_prints_points_as_yaml(run):
    code, printed, _ = run("sample", "mine.yaml", "-n", 5)
    space = automl.load_space("mine.yaml")
    points = list(yaml.safe_load_all(printed))
    assert (code, len(points)) == (0, 5)
    for point in points:
        space.validate(point)
    assert run("sample", "mine.yaml")[1] == printed
    assert run("sample", "mine.yaml", "--seed", 1)[1] != printed
    assert run("sample", "mine.yaml", "-n", 0)[0] == 2


def test_diff_prints_changes_and_valid_trials(run, tmp_path):
    (tmp_path / "wider.yaml").write_text(SPACE.replace("high: 4", "high: 9"))
    code, printed, _ = run("diff", "mine.yaml", "wider.yaml")
    assert code == 0
    assert "widened  model.decision_tree.max_depth: 1 to 4, whole -> 1 to 9, whole" in printed
    assert "every trial of mine is a point of mine" in printed
    assert "no change" in run("diff", "mine.yaml", "mine.yaml")[1]
    narrowed = run("diff", "wider.yaml", "mine.yaml")[1]
    assert "narrowed" in narrowed
    kept = int(narrowed.split("from mine, ")[1].split()[0])
    assert 550 < kept < 850  # half are linear, and 4 of 9 trees


def test_schema_is_printed_or_written(run, tmp_path):
    code, printed, _ = run("schema")
    assert code == 0
    schema = json.loads(printed)
    assert "decision_tree" in json.dumps(schema["properties"]["space"])
    assert run("schema", "-o", "space.schema.json")[0] == 0
    assert json.loads((tmp_path / "space.schema.json").read_text()) == schema


def test_commands_need_allow_import(run, tmp_path, monkeypatch):
    (tmp_path / "oak_package.py").write_text(
        "from sklearn.tree import DecisionTreeClassifier\nclass Oak(DecisionTreeClassifier):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "oak.yaml").write_text(
        "space: {model: {choice: {oak: {estimator: oak_package.Oak, max_depth: [1, 2]}}}}\n"
    )
    code, _, errors = run("check", "oak.yaml")
    assert code == 2
    assert "Other packages must be named in allow_imports" in errors
    for command in (["check", "oak.yaml"], ["sample", "oak.yaml"], ["diff", "oak.yaml", "quick"]):
        assert run(*command, "--allow-import", "oak_package")[0] == 0


@pytest.mark.parametrize("command", ["list", "show", "check", "sample", "diff", "schema"])
def test_help_prints_an_example(run, command):
    assert command in run("--help")[1]
    code, printed, _ = run(command, "--help")
    assert code == 0
    assert "Usage" in printed
    assert "automl spaces" in printed


def test_check_prints_the_changes_to_what_is_included(run, tmp_path):
    (tmp_path / "wider.yaml").write_text(
        "include: mine.yaml\nspace:\n  model:\n    choice:\n      knn: {use: sklearn.knn}\n"
        "      decision_tree: {criterion: entropy}\n"
    )
    code, out, _ = run("check", "wider.yaml")
    assert code == 0
    assert "changes to the included files:" in out
    assert "came     model.knn: 4 keys" in out
    assert "changed  model.decision_tree.criterion: gini -> entropy" in out
    assert "linear" not in out.partition("changes to")[2]


def test_check_of_a_file_without_includes_prints_no_changes(run):
    assert "changes" not in run("check", "mine.yaml")[1]


def test_commands_print_objects_for_programs(run, tmp_path):
    names = [json.loads(line)["space"] for line in run("list", "--json")[1].splitlines()]
    assert names == list(shipped_names()) == run("list", "-q")[1].split()
    (found,) = map(json.loads, run("check", "mine.yaml", "--json")[1].splitlines())
    assert (found["space"], found["dimensions"]) == ("mine", {"decision_tree": 1, "linear": 2})
    (tmp_path / "wider.yaml").write_text(SPACE.replace("high: 4", "high: 9"))
    (change,) = map(json.loads, run("diff", "mine.yaml", "wider.yaml", "--json")[1].splitlines())
    assert change["change"] == "widened"
    code, printed, _ = run("check", "absent.yaml", "--json")
    assert code == 2
    assert json.loads(printed)["faults"][0]["where"] == "space"
