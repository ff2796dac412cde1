"""How a search understands its target: task, reason, positive class, rows that are left out."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import fbeta_score, make_scorer, mean_absolute_error

import automl
from automl.search.plan import make_plan
from automl.table import TargetSettings

N = 60
RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.choice(["x", "y", "z"], size=N)})
TREE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": [1, 2]}}}}}
SQUARED = {"space": {"model": {"choice": {"linear": {"loss": ["squared", "huber"]}}}}}
HINGE = {"space": {"model": {"choice": {"linear": {"loss": "hinge"}}}}}
NUMBERS_ONLY = {"task": "regression", "space": {"model": "decision_tree"}}
CLASSES_ONLY = {"task": ["binary", "multiclass"], "space": {"model": "decision_tree"}}
FOREST = {"space": {"model": {"choice": {"mine": {"estimator": "sklearn.ensemble.ExtraTreesRegressor"}}}}}

RATING = np.arange(N) % 6 + 3
HALVES = (np.arange(N) % 6 + 1) / 2
TEXTS = np.array(["no", "yes"])[np.arange(N) % 2]
REAL = np.linspace(0, 1, N)
F2 = make_scorer(fbeta_score, beta=2, average="macro")
MAE = make_scorer(mean_absolute_error, greater_is_better=False)


def plan(y, *, space=TREE, scoring=None, cv=3, table=X, groups=None, sample_weight=None, **settings):
    return make_plan(
        table, y, space=space, scoring=scoring, cv=cv, groups=groups, sample_weight=sample_weight, random_state=0,
        settings=TargetSettings(**settings),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("y", "options", "task", "reason"),
    [
        (RATING, {}, "multiclass", "6 distinct whole numbers; say task='regression' otherwise"),
        (RATING.astype(float), {}, "multiclass", "6 distinct whole numbers"),
        (RATING, {"task": "regression"}, "regression", "task='regression' was given"),
        (RATING, {"scoring": "r2"}, "regression", "the scorer r2 is for numbers"),
        (RATING, {"scoring": MAE}, "regression", "the scorer _Scorer is for numbers"),
        (RATING, {"scoring": ["r2", "fit_seconds"]}, "regression", "the scorer r2 is for numbers"),
        (RATING, {"scoring": "accuracy"}, "multiclass", "the scorer accuracy is for classes"),
        (RATING, {"scoring": F2}, "multiclass", "the scorer _Scorer is for classes"),
        (RATING, {"scoring": lambda model, A, t: 1.0}, "multiclass", "6 distinct whole numbers"),
        (RATING, {"space": NUMBERS_ONLY}, "regression", "is for regression"),
        (RATING, {"space": SQUARED}, "regression", "is for regression"),
        (RATING, {"space": FOREST}, "regression", "is for regression"),
        (RATING, {"space": CLASSES_ONLY}, "multiclass", "is for classification"),
        (RATING % 2, {"space": SQUARED}, "regression", "is for regression"),
        (RATING % 2, {}, "binary", "2 distinct whole numbers; say task='regression' otherwise"),
        (RATING % 2, {"scoring": "neg_mean_absolute_error"}, "regression", "is for numbers"),
        (np.arange(N), {}, "regression", "60 distinct whole numbers; say task='multiclass' otherwise"),
        (np.arange(N) % 12, {}, "regression", "12 distinct whole numbers; say task='multiclass'"),
        (np.arange(N) % 12, {"scoring": "accuracy"}, "multiclass", "the scorer accuracy is for classes"),
        (np.arange(N) % 12, {"task": "multiclass"}, "multiclass", "task='multiclass' was given"),
        (HALVES, {}, "regression", "6 distinct numbers with fractions; say task='multiclass' otherwise"),
        (HALVES, {"scoring": "accuracy"}, "multiclass", "the scorer accuracy is for classes"),
        (HALVES, {"space": CLASSES_ONLY}, "multiclass", "is for classification"),
        (HALVES, {"task": "multiclass"}, "multiclass", "task='multiclass' was given"),
        (REAL, {}, "regression", "60 distinct numbers with fractions"),
        (TEXTS, {}, "binary", "2 labels"),
        (RATING % 2 == 0, {}, "binary", "truth values"),
        (pd.Series(pd.Categorical(RATING)), {}, "multiclass", "6 categories"),
        (pd.Series(RATING).astype(str), {}, "multiclass", "6 distinct whole numbers"),
        (pd.Series(RATING).astype(str), {"scoring": "r2"}, "regression", "the scorer r2 is for numbers"),
        (pd.Series(REAL).map("{:.3f}".format), {}, "regression", "distinct numbers with fractions"),
        (pd.Series(REAL).map(lambda value: Decimal(f"{value:.3f}")), {}, "regression", "numbers with fractions"),
        (pd.array(RATING, dtype="Int64"), {}, "multiclass", "6 distinct whole numbers"),
        (pd.Series(["None", "Mild", "Severe"] * 20), {}, "multiclass", "3 labels"),
        (pd.Series(["NA", "nan", "n/a"] * 20), {}, "multiclass", "3 labels"),
        (pd.Series(["1", "2", "NA"] * 20), {}, "multiclass", "3 distinct whole numbers"),
    ],
)  # fmt: skip
def test_task_and_its_reason(y, options, task, reason):
    found = plan(y, **options).target
    assert found.task == task
    assert reason in found.reason


@pytest.mark.parametrize(
    ("y", "options", "error", "says"),
    [
        (TEXTS, {"scoring": "r2"}, automl.SettingError, 'able to score a binary target; got "r2".*it is for numbers'),
        (RATING % 2 == 0, {"scoring": "r2"}, automl.SettingError, "able to score a binary target"),
        (RATING, {"task": "multiclass", "scoring": "r2"}, automl.SettingError, "score a multiclass target"),
        (RATING, {"task": "regression", "scoring": "accuracy"}, automl.SettingError, "score a regression target"),
        (REAL, {"scoring": "accuracy"}, automl.SettingError, "score a regression target"),
        (RATING, {"task": "binary"}, automl.TableError, "must fit task='binary'; got 6 classes"),
        (TEXTS, {"task": "regression"}, automl.TableError, "must be numbers for a regression; got 'no', 'yes'"),
        (TEXTS, {"space": NUMBERS_ONLY}, automl.SpaceError, "must be for binary"),
        (REAL, {"space": HINGE}, automl.SpaceError, "hinge"),
        (TEXTS, {"positive_class": "maybe"}, automl.SettingError, "positive_class: must be a label .*'no', 'yes'"),
        (RATING, {"positive_class": 3}, automl.SettingError, "positive_class: .*got 3 for 6 classes"),
        (REAL, {"positive_class": 1}, automl.SettingError, "positive_class: .*for a regression"),
        (np.column_stack([REAL, REAL]), {}, automl.TableError, "one column .*MultiOutputRegressor"),
        (REAL, {"class_weight": "balanced"}, automl.SettingError, "class_weight: must be left out for a regression"),
        (TEXTS, {"class_weight": {"yse": 2}}, automl.SettingError, 'class_weight: .*Did you mean "yes"'),
        (TEXTS, {"class_weight": {"yes": -1, "no": "x"}}, automl.SettingError, "2 faults"),
        (TEXTS, {"class_weight": "even"}, automl.SettingError, 'must be "balanced" or a number above 0'),
        (TEXTS, {"sample_weight": np.ones(5)}, automl.SettingError, "sample_weight: .*got 5 for 60 rows"),
        (TEXTS, {"sample_weight": -np.ones(N)}, automl.SettingError, "sample_weight: .*got -1 in 60 of 60 rows"),
        (TEXTS, {"sample_weight": np.zeros(N)}, automl.SettingError, "sample_weight: .*got 0 in all rows"),
        (TEXTS, {"sample_weight": ["heavy"] * N}, automl.SettingError, "sample_weight: .*no numbers"),
        (TEXTS, {"sample_weight": "wieght"}, automl.SettingError, "sample_weight: must be a column"),
        (TEXTS, {"sample_weight": np.arange(N) == 0}, automl.SettingError, "rows of weight above 0 in every fold"),
        (TEXTS, {"groups": ["g"] * 3}, automl.SettingError, "groups: must have one value a row, 60; got 3"),
        (TEXTS, {"groups": "c"}, automl.SettingError, "groups: must be a column of the table; got \"c\""),
        (TEXTS, {"groups": [None, *"ab"] * 20}, automl.SettingError, "groups: must have a value in every row; got 20"),
        (TEXTS, {"groups": ["g"] * N}, automl.SettingError, "groups: must have at least two groups; got one"),
        (TEXTS, {"cv": "time", "groups": "b"}, automl.SettingError, "cv: must be a number or a splitter with groups"),
        (TEXTS, {"cv": "time", "time_column": "b"}, automl.SettingError, "a date or a number in every row"),
        (TEXTS, {"cv": "time", "time_column": "c"}, automl.SettingError, "time_column: must be a column"),
        (TEXTS, {"cv": "time:60"}, automl.SettingError, "from 2 to 59 folds in time"),
        (TEXTS, {"cv": "times"}, automl.SettingError, 'cv: must be a number of folds, "time"'),
        ([None] * N, {}, automl.TableError, "60 of 60 rows without"),
        (["rare"] * 2 + ["a"] * 28 + ["b"] * 30, {}, automl.TableError, "'rare' with 2.*rare_classes"),
        (["r"] * 2 + ["a"] * 58, {"rare_classes": "merge"}, automl.SettingError, "to be merged; got 2, of 'r'"),
        ([1] * 2 + [2] * 28 + [3] * 30, {"rare_classes": "merge"}, automl.SettingError, "labels that are texts"),
    ],
)  # fmt: skip
def test_target_messages(y, options, error, says):
    with pytest.raises(error, match=says):
        plan(y, **options)


def test_several_faults_are_reported_together():
    with pytest.raises(automl.TableError) as caught:
        plan(np.column_stack([REAL, REAL]), table=X.set_axis(["a", "a"], axis=1))
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    ("y", "given", "expected", "code"),
    [
        (TEXTS, None, "yes", 1),
        (TEXTS, "no", "no", 0),
        (RATING % 2, None, 1, 1),
        (RATING % 2, "0", 0, 0),
        (RATING % 2 == 0, "False", False, 0),
        (RATING % 2 + 0.0, 0, 0.0, 0),
    ],
)
def test_positive_class(y, given, expected, code):
    target = plan(y, positive_class=given).target
    assert (target.positive_class, target.positive) == (expected, code)
    assert target.classes.tolist() == sorted(target.classes.tolist())


def test_positive_class_of_the_space_gives_way_to_the_setting():
    space = automl.load_space(f"{yaml.safe_dump(TREE)}\npositive_class: 'no'")
    assert automl.load_space(space.to_yaml()).positive_class == "no"
    assert plan(TEXTS, space=space).target.positive_class == "no"
    assert plan(TEXTS, space=space, positive_class="yes").target.positive_class == "yes"
    with pytest.raises(automl.SettingError, match="positive_class: .*'no' for 6 classes"):
        plan(RATING, space=space)


def test_rows_without_a_target_are_left_out():
    y = pd.Series(TEXTS, dtype=object, name="t")
    y.iloc[[3, 7]] = [None, np.nan]
    weight = np.arange(N, dtype=float)
    with pytest.warns(UserWarning, match='target "t": 2 of 60 rows without a value were left out'):
        found = plan(y, sample_weight=weight, groups=np.arange(N) // 2)
    kept = np.delete(np.arange(N), [3, 7])
    assert found.frame["a"].tolist() == X["a"].iloc[kept].tolist()
    assert found.weights.score == pytest.approx(kept / kept.mean())
    with pytest.raises(automl.TableError, match="2 of 60 rows without"):
        plan(y, drop_missing_target=False)


def test_texts_for_missing_numbers_are_left_out():
    y = pd.Series([*(f"{value:.3f}" for value in REAL[2:]), "n/a", ""], name="t")
    with pytest.warns(UserWarning, match=r'2 of 60 rows without a number, such as "n/a" \(row 58\)'):
        target = plan(y).target
    assert (target.task, len(target.values)) == ("regression", 58)
    assert target.values[:2] == pytest.approx(REAL[2:4], abs=1e-3)


def test_a_few_texts_among_numbers_are_left_out():
    y = pd.Series([f"{value:.3f}" for value in REAL], name="t")
    y[7] = "12,5 kg"
    with pytest.warns(
        UserWarning, match=r'1 of 60 rows without a number, such as "12,5 kg" \(row 7\), were left out'
    ):
        target = plan(y).target
    assert (target.task, len(target.values)) == ("regression", 59)


def test_text_numbers_stay_labels():
    target = plan(pd.Series(["10", "9"] * 30)).target
    assert target.classes.tolist() == ["10", "9"]


@pytest.mark.parametrize(
    ("rule", "n_rows", "classes", "says"),
    [
        ("merge", 60, ["a", "b", "other"], 'classes with fewer than 3 rows became "other": '),
        ("drop", 56, ["a", "b"], "4 of 60 rows of classes with fewer than 3 rows, .* were left out"),
    ],
)
def test_rare_classes(rule, n_rows, classes, says):
    y = pd.Series(["r"] * 2 + ["s"] * 2 + ["a"] * 26 + ["b"] * 30, name="t")
    with pytest.warns(UserWarning, match=says):
        target = plan(y, rare_classes=rule).target
    assert (len(target.values), target.classes.tolist()) == (n_rows, classes)
    if rule == "merge":
        assert target.encode(["a", "r", "s"]).tolist() == [0, 2, 2]


def test_time_folds_train_on_the_past():
    table = X.assign(day=np.random.default_rng(1).permutation(N), when=pd.date_range("2020", periods=N)[::-1])
    for column, n_folds, cv in (("day", 5, "time"), ("when", 3, "time:3"), (None, 3, "time:3")):
        folds = plan(TEXTS, table=table, cv=cv, time_column=column).folds
        time = np.arange(N) if column is None else table[column].to_numpy()
        assert len(folds) == n_folds
        for train, valid in folds:
            assert time[train].max() < time[valid].min()
    texts = table.assign(when=table["when"].dt.strftime("%d.%m.%Y"))
    by_text = plan(TEXTS, table=texts, cv="time:3", time_column="when").folds
    by_date = plan(TEXTS, table=table, cv="time:3", time_column="when").folds
    assert [train.tolist() for train, _ in by_text] == [train.tolist() for train, _ in by_date]


def test_columns_of_weights_and_groups_are_no_features():
    table = X.assign(weight=np.arange(N) + 1.0, group=np.arange(N) // 2)
    found = plan(TEXTS, table=table, sample_weight="weight", groups="group")
    given = plan(TEXTS, sample_weight=table["weight"], groups=table["group"])
    assert list(found.frame) == list(given.frame) == ["a", "b"]
    assert found.fingerprints() == given.fingerprints()


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "fit", "score"),
    [
        (None, None, None, None),
        (None, [1, 1, 2, 4], [0.5, 0.5, 1, 2], [0.5, 0.5, 1, 2]),
        ("balanced", None, [2 / 3, 2 / 3, 2 / 3, 2], None),
        ({"yes": 3}, None, [2 / 3, 2 / 3, 2 / 3, 2], None),
        ({"yes": 3, "no": 3}, None, [1, 1, 1, 1], None),
        ("balanced", [1, 1, 2, 4], [0.25, 0.25, 0.5, 3], [0.5, 0.5, 1, 2]),
    ],
)
def test_row_weights(class_weight, sample_weight, fit, score):
    from automl.table import RowWeights, Target

    found = RowWeights.of(Target.of(["no", "no", "no", "yes"]), sample_weight, class_weight)
    for values, expected in ((found.fit, fit), (found.score, score)):
        assert (values is None) == (expected is None)
        assert values is None or values == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "classifier"),
    [
        ({}, True),
        ({"task": "regression"}, False),
        ({"task": "binary"}, True),
        ({"scoring": "r2"}, False),
        ({"scoring": ["neg_log_loss", "fit_seconds"]}, True),
        ({"scoring": "r2", "task": "multiclass"}, True),
    ],
)
def test_search_is_a_classifier_or_a_regressor(settings, classifier):
    search = automl.Search(**settings)
    assert (is_classifier(search), is_regressor(search)) == (classifier, not classifier)
