"""Constraints on the result of a search."""

import io

from rich.console import Console

LIMITED = (
    "space: {model: {linear: {l2: 0.1}}}\nconstraints: {predict_seconds: 1e-2, model_bytes: 1_000_000}\n"
)


def test_constraints_round_trip(load):
    space = load(LIMITED)
    assert space.constraints == {"predict_seconds": 0.01, "model_bytes": 1_000_000}
    assert load(space.to_yaml()) == space == load(space.to_dict())
    assert space.specialise("binary").constraints == space.constraints
    console = Console(file=io.StringIO(), width=100)
    console.print(space.describe())
    assert "predict_seconds  at most 0.01" in console.file.getvalue()
    assert load("space: {model: {linear: {l2: 0.1}}}\n").constraints == {}


def test_constraints_change_digest_and_diff(load):
    space, free = load(LIMITED), load(LIMITED.split("constraints")[0])
    other = load(LIMITED.replace("1e-2", "0.5"))
    assert len({space.digest(), free.digest(), other.digest()}) == 3
    assert load(free.to_yaml()).digest() == free.digest()
    (wider,) = space.diff(other)
    assert (wider.kind, wider.path, wider.before, wider.after) == (
        "widened", "constraints.predict_seconds", "0.01", "0.5",
    )  # fmt: skip
    (narrower,) = other.diff(space)
    assert (narrower.kind, narrower.keeps) == ("narrowed", True)
    assert [change.kind for change in space.diff(free)] == ["went", "went"]
    assert [change.kind for change in free.diff(space)] == ["came", "came"]


def test_constraints_of_the_including_file_win(load, tmp_path):
    (tmp_path / "base.yaml").write_text(LIMITED)
    (tmp_path / "mine.yaml").write_text("include: base.yaml\nconstraints: {model_bytes: 500}\n")
    assert load(tmp_path / "mine.yaml").constraints == {"predict_seconds": 0.01, "model_bytes": 500}
