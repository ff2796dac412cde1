"""Predictions of files: the same as of the whole table, a block of rows at a time, whole or not at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl import SettingError, TableError, predict_file
from automl.table import TypedColumns, preprocessor


def make_rows(n=2_500):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": range(n), "size": rng.normal(size=n), "town": rng.choice(["Bern", "Cork"], n)}
    )
    frame.loc[n - 3, "id"] = None
    return frame.astype({"id": "Int64"})


@pytest.fixture(scope="module")
def model():
    rows = make_rows()
    columns = TypedColumns(types={"id": "drop"}).fit(rows)
    prepare = preprocessor({}, columns.column_types_)
    return make_pipeline(columns, prepare, LogisticRegression()).fit(
        rows, np.where(rows["size"] > 0, "big", "small")
    )


@pytest.fixture
def blocks(monkeypatch):
    """Blocks of at most 600 rows."""
    monkeypatch.setattr("automl.table.parquet_files._MAX_BLOCK_ROWS", 600)


@pytest.fixture
def file(tmp_path, blocks):
    make_rows().assign(target="big").to_parquet(tmp_path / "rows.parquet", row_group_size=1_000, index=False)
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_file_writes_what_predict_returns(file, model, ending):
    done = []
    output = file.with_name(f"out.{ending}")
    n = predict_file(
        model,
        file,
        output,
        target="target",
        proba=True,
        keep="id, town",
        progress=lambda *rows: done.append(rows),
    )
    found = pd.read_csv(output) if ending == "csv" else pd.read_parquet(output)
    rows = make_rows()
    assert n == len(found) == 2_500
    assert done == [(600, 2_500), (1_200, 2_500), (1_800, 2_500), (2_400, 2_500), (2_500, 2_500)]
    assert found["row"].tolist() == list(range(1, 2_501))
    assert found["id"].isna().sum() == 1
    assert (found["town"] == rows["town"]).all()
    assert (found["prediction"] == model.predict(rows)).all()
    np.testing.assert_allclose(found["probability_big"], model.predict_proba(rows)[:, 0])
    if ending == "parquet":
        assert str(pq.read_schema(output).field("id").type) == "int64"


def test_predict_file_names_the_row_group_and_leaves_nothing(tmp_path, blocks, model):
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = make_rows().astype({"size": "str"})
    rows[:1_000].to_parquet(folder / "0.parquet", index=False)
    rows[1_000:].assign(size="much").to_parquet(folder / "1.parquet", row_group_size=500, index=False)
    rule = r'1.parquet, row groups 0 to 1, column "size": must hold numeric values, as in training'
    with pytest.raises(TableError, match=rule):
        predict_file(model, folder, tmp_path / "out.csv", keep="id")
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_predict_file_keeps_an_older_output_after_an_error(file, model):
    output = file.with_name("out.csv")
    output.write_text("earlier")
    content = bytearray(file.read_bytes())
    start = pq.read_metadata(file).row_group(2).column(1).data_page_offset
    content[start - 30 : start + 30] = bytes(60)
    file.write_bytes(content)
    with pytest.raises(TableError, match="rows.parquet, row group 2: must be readable"):
        predict_file(model, file, output, target="target", keep="id")
    assert output.read_text() == "earlier"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keep": "twon"}, 'Did you mean "town"'),
        ({"keep": "town,town"}, '--keep: must name each column once; got "town" twice'),
        ({"output": "out.xlsx"}, "must end in .csv or .parquet"),
    ],
)
def test_predict_file_checks_arguments_first(file, model, given, message):
    output = file.with_name(given.pop("output", "out.csv"))
    with pytest.raises(SettingError, match=message):
        predict_file(model, file, output, **given)


@pytest.mark.parametrize(
    ("keep", "proba", "clashes"),
    [
        ("prediction", False, ["prediction"]),
        ("id, row", False, ["row"]),
        (["row", "prediction"], False, ["row", "prediction"]),
        ("probability_big", True, ["probability_big"]),
    ],
)
def test_predict_file_refuses_kept_columns_with_names_of_the_output(tmp_path, model, keep, proba, clashes):
    with pytest.raises(SettingError) as error:  # before the file is opened: there is none
        predict_file(model, tmp_path / "rows.parquet", tmp_path / "out.csv", keep=keep, proba=proba)
    assert [fault.came for fault in error.value.faults] == [f'"{name}"' for name in clashes]
    assert {fault.where for fault in error.value.faults} == {"--keep"}
    assert all("a column that the output has anyway" in fault.rule for fault in error.value.faults)


def test_predict_file_keeps_a_column_named_as_a_probability_without_proba(file, model):
    rows = make_rows().assign(probability_big=0.5)
    rows.to_parquet(file, index=False)
    predict_file(model, file, file.with_name("out.csv"), keep="probability_big")
    assert (pd.read_csv(file.with_name("out.csv"))["probability_big"] == 0.5).all()


def test_predict_file_reads_large_text_in_parts(tmp_path, blocks, monkeypatch, model):
    monkeypatch.setattr("automl.table.blocks._LARGE", 1_000)
    make_rows().to_csv(tmp_path / "rows.csv", index=False)
    done = []
    predict_file(model, tmp_path / "rows.csv", tmp_path / "out.csv", progress=lambda *rows: done.append(rows))
    assert len(done) == 5
    assert (pd.read_csv(tmp_path / "out.csv")["prediction"] == model.predict(make_rows())).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "rows.csv"]
