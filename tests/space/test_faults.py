"""Messages of faulty spaces: each file in faulty/ has its message beside it."""

from pathlib import Path

import pytest
import yaml

from automl.errors import SpaceError
from automl.families import Problem
from automl.families.smoke import SmokeTest

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
    """Hinge losses are for classes, others for numbers, and the tree is for two classes only."""
    if family == "decision_tree" and task == "multiclass":
        return "it knows two classes only"
    loss = params.get("loss")
    if loss is not None and (loss in CLASSIFICATION) == (task == "regression"):
        return f"{loss} is not for {task}"
    return None


@pytest.mark.parametrize("name", sorted(path.stem for path in FAULTY.glob("*.yaml")))
def test_fault_message(load, name):
    with pytest.raises(SpaceError) as caught:
        load(FAULTY / f"{name}.yaml", incompatibility=fits, smoke_test=SMOKE_TEST)
    said = str(caught.value).replace(f"{FAULTY}/", "")
    assert said == (FAULTY / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


@pytest.mark.parametrize("name", ["binary_rubbish", "broken_yaml", "tabs", "many_at_once", "tag_of_python"])
def test_fault_message_without_libyaml(load, name, monkeypatch):
    monkeypatch.setattr("automl.space.yaml_io._LOADER", yaml.SafeLoader)
    test_fault_message(load, name)


def test_fault_messages_have_files():
    assert {path.stem for path in FAULTY.glob("*.txt")} == {path.stem for path in FAULTY.glob("*.yaml")}
