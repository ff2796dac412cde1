"""`Search.fit` on a Parquet file that does not fit into memory: a sample is searched, all rows are fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import automl
from automl.errors import TableError
from automl.families import fit_streamed
from automl.search import full_fit, large_table, replay_run
from tests.support.tables import break_row_group

SPACES = {
    "linear": {"space": {"model": {"choice": {"linear": {"max_epochs": 4, "batch_size": 64}}}}},
    "mlp": {"space": {"model": {"choice": {"mlp": {"max_epochs": 4, "batch_size": 64}}}}},
    "lightgbm": {"space": {"model": {"choice": {"lightgbm": {"n_estimators": 20}}}}},
    "decision_tree": {"space": {"model": {"choice": {"decision_tree": {"max_depth": 6}}}}},
}


def make_rows(n=24_000, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    frame["kind"] = rng.choice(["x", "y", None], n)
    score = frame["a"] + 2 * (frame["kind"] == "x") + rng.normal(size=n)
    frame["target"] = np.where(score > 0.5, "yes", "no")
    frame.loc[::1_000, "target"] = None
    return frame


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of two files, which is too large for the memory that the search believes to have."""
    monkeypatch.chdir(tmp_path)
    rows = make_rows()
    (tmp_path / "rows").mkdir()
    rows[:9_000].to_parquet("rows/0.parquet", row_group_size=2_000, index=False)
    rows[9_000:].to_parquet("rows/1.parquet", row_group_size=2_000, index=False)
    monkeypatch.setattr(large_table, "_memory", lambda settings: (1e12, 3_000_000.0))
    return tmp_path


def make(family, **settings):
    given = {"n_trials": 1, "timeout": None, "n_jobs": 1, "progress": False, "cv": 2, **settings}
    return automl.Search(SPACES.get(family, family), **given)


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
@pytest.mark.parametrize("family", SPACES)
def test_search_fits_the_winner_to_all_rows(folder, family):
    search = make(family).fit("rows", "target")
    facts = search._winner.facts
    assert 4_000 < facts.n_rows <= facts.sample_rows < 8_000
    assert facts.table_rows == 24_000
    assert search.fitted_rows_ == 24_000 - 24
    other = make_rows(2_000, seed=1).dropna(subset="target")
    y = other.pop("target")
    assert search.score(other, y) > 0.85
    assert set(search.classes_) == {"no", "yes"}
    # The model holds what all rows say, and is a model like any other.
    assert (search.export("model") / "MLmodel").is_file()
    loaded = automl.load_model("model")
    assert (loaded.predict(other) == search.predict(other)).all()
    everything = search.predict("rows")
    assert (everything[:500] == search.predict(make_rows()[:500].drop(columns="target"))).all()
    assert everything.shape == (24_000,)


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
def test_search_says_why_the_winner_has_a_sample_only(folder, monkeypatch):
    monkeypatch.setattr(large_table, "_memory", lambda settings: (1.0, 3_000_000.0))
    with pytest.warns(
        UserWarning, match=r"decision_tree\) was fitted to [\d,]+ of 24,000 rows: decision_tree needs all"
    ):
        search = make("decision_tree").fit("rows", "target")
    assert search.fitted_rows_ == search._winner.facts.n_rows


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
def test_search_fits_the_winner_to_the_rows_that_memory_allows(folder, monkeypatch):
    rows = make_rows().assign(weight=np.arange(1.0, 24_001.0))
    rows.to_parquet("rows.parquet", row_group_size=2_000, index=False)
    monkeypatch.setattr(full_fit._FullFit, "_bytes", lambda self, n_rows: 1e12 * n_rows / 12_000)
    fits = []

    def fit(family, given):
        fits.append(given.fold)
        return fit_streamed(family, given)

    monkeypatch.setattr(full_fit, "fit_streamed", fit)
    search = make("decision_tree", class_weight={"no": 1.0, "yes": 3.0})
    with pytest.warns(UserWarning, match=r"was fitted to 11,760 of 24,000 rows: .* memory_limit leaves"):
        search.fit("rows.parquet", "target", sample_weight="weight")
    assert search._winner.facts.n_rows < search.fitted_rows_ == 11_760  # 49 percent
    (fold,) = fits
    assert "weight" not in search.feature_names_in_
    numbers = (fold.weight / np.where(fold.y == 1, 3.0, 1.0)).astype(int)  # of the rows that were drawn
    drawn = rows.set_index(rows["weight"].astype(int)).loc[numbers]
    assert (np.where(fold.y == 1, "yes", "no") == drawn["target"]).all()
    assert (np.diff(numbers) > 0).all()
    assert np.histogram(numbers, 4, (0, 24_000))[0] == pytest.approx(
        2_940, abs=150
    )  # of all parts of the file
    other = make_rows(2_000, seed=1).dropna(subset="target")
    assert search.score(other, other.pop("target")) > 0.8


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
@pytest.mark.parametrize("family", ["linear", "lightgbm", "decision_tree"])
@pytest.mark.parametrize("weight", [None, -1.0])
def test_a_bad_weight_outside_the_sample_leaves_the_model_of_the_sample(folder, family, weight):
    rows = make_rows().assign(weight=1.0)
    rows.loc[5, "weight"] = weight  # a row that is not in the sample
    rows.to_parquet("rows.parquet", row_group_size=2_000, index=False)
    came = r"-1.0" if weight else "nan"
    place = (
        rf'rows.parquet, row groups 0 to 11, column "weight": must be one finite .*got {came} in 1 rows\.$'
    )
    with pytest.warns(UserWarning, match=rf"was fitted to [\d,]+ of 24,000 rows: .*{place}"):
        search = make(family).fit("rows.parquet", "target", sample_weight="weight")
    assert search.fitted_rows_ == search._winner.facts.n_rows


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
def test_an_error_of_a_library_in_the_fit_of_all_rows_leaves_the_model_of_the_sample(folder, monkeypatch):
    def fails(family, fit):
        raise ValueError("label must be positive")

    monkeypatch.setattr(full_fit, "fit_streamed", fails)
    with pytest.warns(UserWarning, match="of 24,000 rows: ValueError: label must be positive"):
        search = make("lightgbm").fit("rows", "target")
    assert search.fitted_rows_ == search._winner.facts.n_rows


def test_search_names_a_broken_row_group_and_leaves_nothing(folder):
    break_row_group(folder / "rows" / "1.parquet", 2)
    with pytest.raises(TableError, match=r"1.parquet, row group 2: must be readable"):
        make("linear").fit("rows", "target")
    assert sorted(path.name for path in folder.iterdir()) == ["rows"]


@pytest.mark.filterwarnings("ignore:target .* rows without a number")
def test_rows_of_another_target_are_counted(folder):
    rows = make_rows()
    rows["target"] = [f"{value:.4f}" for value in rows["a"]]
    rows.loc[:199, "target"] = "many"  # of the first 500 rows
    rows.to_parquet("rows.parquet", row_group_size=500, index=False)
    with pytest.warns(
        UserWarning, match="23,800 of 24,000 rows: 200 rows have a value that the target does not"
    ):
        search = make("linear", task="regression").fit("rows.parquet", "target")
    assert search.fitted_rows_ == 23_800


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
def test_resumed_search_has_the_same_sample(folder, monkeypatch):
    first = make("decision_tree", study_name="s", refit=False).fit("rows", "target")
    monkeypatch.setattr(large_table, "_memory", lambda settings: (1e12, 1e12))  # now all rows would fit
    again = make("decision_tree", study_name="s", refit=False, n_trials=2).fit("rows", "target")
    assert again._winner.facts.content == first._winner.facts.content
    assert again._winner.facts.sample_rows == first._winner.facts.sample_rows


def test_search_on_a_file_that_fits_has_all_rows(folder, monkeypatch):
    monkeypatch.setattr(large_table, "_memory", lambda settings: (1e12, 1e12))
    make_rows().dropna().to_csv("rows.csv", index=False)
    search = make("decision_tree", refit=False).fit("rows.csv", "target")
    assert search._winner.facts.n_rows == len(pd.read_csv("rows.csv"))
    assert search._winner.facts.sample_rows == 0


def test_search_refuses_values_by_row_beside_a_sample(folder):
    with pytest.raises(automl.SettingError, match="sample_weight: must name a column of the file"):
        make("decision_tree").fit("rows", "target", sample_weight=np.ones(24_000))


def test_search_refuses_a_limit_without_room_for_a_sample(folder, monkeypatch):
    monkeypatch.setattr(large_table, "_memory", lambda settings: (1e6, 1e5))
    with pytest.raises(automl.SettingError, match=r"memory_limit: must leave room for 2,000 rows of rows"):
        make("decision_tree").fit("rows", "target")


def test_search_names_the_file_of_a_missing_target(folder):
    with pytest.raises(automl.TableError, match=r'rows: must have the column; got no "targt"'):
        make("decision_tree").fit("rows", "targt")


def test_search_converts_separated_text_that_does_not_fit(folder, monkeypatch, capfd):
    make_rows().dropna(subset="target").to_csv("rows.csv", index=False)
    before = sorted(path.name for path in folder.iterdir())
    search = make("decision_tree", refit=False, progress=True, scratch=".").fit("rows.csv", "target")
    facts = search._winner.facts
    assert "rows.csv does not fit into memory and is converted to Parquet" in capfd.readouterr().err
    assert (facts.table_rows, facts.file) == (24_000 - 24, str(folder / "rows.csv"))
    assert 4_000 < facts.n_rows < 8_000
    assert sorted(path.name for path in folder.iterdir()) == sorted([*before, "mlruns"])


@pytest.mark.filterwarnings("ignore:target .* rows without a value")
def test_replay_draws_the_sample_again(folder):
    search = make("decision_tree", refit=False).fit("rows", "target")
    assert replay_run(search.leaderboard_["run_id"].iloc[0]).same
