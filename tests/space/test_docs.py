"""Every block of the page on spaces is executed."""

import doctest
import re
import shlex
import sys

import numpy as np
import pytest

from automl.cli import main
from automl.descent import OPTIMIZERS
from automl.errors import SpaceError
from automl.families import load_space
from tests.support import ROOT

PAGE = ROOT / "docs" / "spaces.md"
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
)
YAML = [
    (text, BLOCKS[index + 1][1] if BLOCKS[index + 1][0] == "text" else "")
    for index, (kind, text) in enumerate(BLOCKS)
    if kind == "yaml"
]


@pytest.mark.parametrize(("text", "error"), YAML)
def test_a_block_of_yaml_is_a_space_or_has_the_faults_that_follow(text, error):
    if not error:
        space = load_space(text)
        space.validate(space.sample(np.random.default_rng(0)))
        return
    with pytest.raises(SpaceError) as caught:
        load_space(text)
    assert str(caught.value) == error.replace("{optimizers}", ", ".join(OPTIMIZERS)).strip()


def test_the_python_runs():
    code = "".join(text for kind, text in BLOCKS if kind == "python")
    test = doctest.DocTestParser().get_doctest(code, {}, "spaces.md", str(PAGE), 0)
    printed: list[str] = []
    result = doctest.DocTestRunner().run(test, out=printed.append)
    assert result.attempted > 10
    assert not result.failed, "".join(printed)


def test_the_commands_run(folder, monkeypatch, capsys):
    np.savetxt("table.csv", np.arange(240.0).reshape(60, 4) % 7, delimiter=",", header="a,b,c,y", comments="")
    (folder / "my_space.yaml").write_text(YAML[0][0])
    lines = [
        shlex.split(line, comments=True)
        for kind, text in BLOCKS
        if kind == "sh"
        for line in text.splitlines()
    ]
    assert len(lines) > 5
    for words in lines:
        monkeypatch.setattr(sys, "argv", [*words, *(["--n-jobs", "1"] if "search" in words else [])])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code, capsys.readouterr().err


def test_there_is_no_block_of_another_kind():
    assert {kind for kind, _ in BLOCKS} == {"yaml", "text", "python", "sh"}
