"""Every way to get a space wrong that we could think of, each a file, beside what is said about it."""

from pathlib import Path

import pytest
import yaml

from automl.errors import SpaceError
from automl.families import Problem
from automl.families.smoke_test import SmokeTest

FAULTY = Path(__file__).parent / "faulty"
SMOKE_TEST = SmokeTest(
    {
        "binary": Problem("binary", 2),
        "multiclass": Problem("multiclass", 3),
        "regression": Problem("regression"),
    }
)
CLASSIFICATION = {"logistic", "softmax", "hinge"}


def fits(task, family, params):
    """Hinges and the like are for classes, the rest for numbers; and there is a tree of two classes only."""
    if family == "decision_tree" and task == "multiclass":
        return "it knows two classes only"
    loss = params.get("loss")
    if loss is not None and (loss in CLASSIFICATION) == (task == "regression"):
        return f"{loss} is not for {task}"
    return None


@pytest.mark.parametrize("name", sorted(path.stem for path in FAULTY.glob("*.yaml")))
def test_the_error_says_what_is_wrong(load, name):
    with pytest.raises(SpaceError) as caught:
        load(FAULTY / f"{name}.yaml", incompatibility=fits, smoke_test=SMOKE_TEST)
    said = str(caught.value).replace(f"{FAULTY}/", "")
    assert said == (FAULTY / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize("name", ["binary_rubbish", "broken_yaml", "tabs", "many_at_once", "tag_of_python"])
def test_the_words_are_the_same_without_libyaml(load, name, monkeypatch):
    monkeypatch.setattr("automl.space.yaml_io._LOADER", yaml.SafeLoader)
    test_the_error_says_what_is_wrong(load, name)


def test_there_is_a_fault_for_every_message():
    assert {path.stem for path in FAULTY.glob("*.txt")} == {path.stem for path in FAULTY.glob("*.yaml")}
