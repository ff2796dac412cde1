"""Storage of studies."""

import os
import sys

import optuna
import pytest

import automl
from automl.errors import SettingError, StoreError
from automl.study import create_study, known_studies, load_study, make_pruner, make_sampler
from automl.study.storage import storage_url


def create(name, storage=None):
    return create_study(name, storage, sampler=make_sampler(None, 0), pruner=make_pruner(None))


def test_load_study_reads_newest_journal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for age, name in ((20, "older"), (10, "newer"), (30, "oldest")):
        create(name).ask()
        file = tmp_path / "mlruns" / "studies" / f"{name}.journal"
        os.utime(file, (1e9 - age, 1e9 - age))
    assert known_studies() == ["oldest", "older", "newer"]
    assert load_study().study_name == "newer"
    assert len(load_study("oldest").trials) == 1
    assert load_study("oldest").direction == optuna.study.StudyDirection.MAXIMIZE


@pytest.mark.parametrize("kind", ["default", "path", "text", "url", "sqlite", "object"])
def test_create_study_name_is_unique(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    storage = {
        "default": None,
        "path": tmp_path / "one.journal",
        "text": str(tmp_path / "two.journal"),
        "url": f"sqlite:///{tmp_path}/optuna.db",
        "sqlite": tmp_path / "new" / "study.db",
        "object": optuna.storages.InMemoryStorage(),
    }[kind]
    create("mine", storage)
    with pytest.raises(SettingError, match='study_name: must be new in its storage; got "mine"'):
        create("mine", storage)
    assert load_study("mine", storage).study_name == "mine"
    with pytest.raises(
        SettingError, match='must name a study of the storage; got "mien". Did you mean "mine"'
    ):
        load_study("mien", storage)


@pytest.mark.parametrize(
    "storage", ["{}/file/s.journal", "{}", "sqlite:///{}/absent/optuna.db", "nosuch://x"]
)
def test_unwritable_storage_is_store_error(tmp_path, storage):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(
        StoreError, match=r"storage: (must be a place where the study can be kept; got|.* cannot be read)"
    ):
        create("mine", storage.format(tmp_path))


def test_load_study_without_studies_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="needs a study to read"):
        load_study()
    with pytest.raises(StoreError, match="there is no journal file"):
        load_study("mine", tmp_path / "absent.journal")


def test_study_name_with_slash_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="study_name: must be a plain name"):
        create("../elsewhere")


@pytest.mark.postgres
def test_study_in_postgresql(postgres):
    study = create("in-postgresql", postgres)
    study.tell(study.ask(), 1.0)
    assert known_studies(postgres)[-1] == "in-postgresql"
    assert load_study("in-postgresql", postgres).best_value == 1.0


@pytest.mark.postgres
@pytest.mark.parametrize("part", ["/postgres", ":open"])
def test_errors_hide_password(postgres, part):
    wrong = postgres.replace(part, "/absent" if part == "/postgres" else ":wrong")
    with pytest.raises(StoreError, match=r"got postgresql://automl:\*\*\*@127") as caught:
        create("mine", wrong)
    assert "sesame" not in f"{caught.value} {caught.value!s}"
    search = automl.Search(storage=postgres, n_trials=1)
    shown = f"{search!r} {search._repr_mimebundle_()}"
    assert "sesame" not in shown
    assert "postgresql://automl:***@127" in shown
    assert search.get_params()["storage"] == postgres


def test_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'automl-orchestrator\[postgres\]'"):
        create("mine", "postgresql+psycopg://127.0.0.1/absent")


def test_path_of_an_sqlite_file_is_its_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    optuna.create_study(study_name="mine", storage="sqlite:///old.any").ask()
    assert storage_url("old.any") == "sqlite:///old.any"  # by its content
    assert len(load_study("mine", "old.any").trials) == 1
    create("other", "study.DB").ask()
    assert len(optuna.load_study(study_name="other", storage="sqlite:///study.DB").trials) == 1
    create("third", "by-name.journal").ask()
    (tmp_path / "by-name.journal").rename("journal.db")
    assert known_studies("journal.db") == ["third"]  # a journal by its content
    with pytest.raises(StoreError, match=r"there is no SQLite file absent\.db"):
        load_study("mine", "absent.db")
    assert not (tmp_path / "absent.db").exists()
