"""The code that a model carries."""

import io
import subprocess
import sys
import zipfile

import pytest

from automl.tracking import model_code
from automl.tracking.model_code import code_archive
from tests.support import ROOT


def test_code_archive_has_the_files_of_the_package():
    with zipfile.ZipFile(io.BytesIO(code_archive())) as archive:
        names = archive.namelist()
        source = archive.read("automl/tracking/model_code.py")
    assert source == (ROOT / "automl" / "tracking" / "model_code.py").read_bytes()
    assert {"automl/report/report.html", "search_spaces/tabular.yaml"} <= set(names)
    assert not [
        name for name in names if "__pycache__" in name or not name.startswith(("automl/", "search_spaces/"))
    ]
    assert len(code_archive()) < 1_000_000


def test_code_archive_of_code_from_an_archive_is_that_archive(tmp_path, monkeypatch):
    file = tmp_path / "automl.zip"
    file.write_bytes(code_archive())
    monkeypatch.setattr(model_code, "__file__", str(file / "automl" / "tracking" / "model_code.py"))
    code_archive.cache_clear()
    try:
        assert code_archive() == file.read_bytes()
    finally:
        code_archive.cache_clear()


SCRIPT = """
import sys, warnings
warnings.simplefilter("ignore")
import automl, numpy, pandas
assert "automl.zip" in automl.__file__, automl.__file__
X = pandas.DataFrame(numpy.random.default_rng(0).normal(size=(90, 2))).add_prefix("x")
y = (X["x0"] > 0).to_numpy().astype(int)
search = automl.Search("quick", n_trials=1, timeout=None, n_jobs=2, progress=False).fit(X, y)
search.report("report.html")
"""


@pytest.mark.slow
def test_package_works_from_the_archive(folder, monkeypatch):
    """A process that loads a model with MLflow may import this package from it."""
    (folder / "automl.zip").write_bytes(code_archive())
    monkeypatch.setenv("PYTHONPATH", str(folder / "automl.zip"))
    ran = subprocess.run([sys.executable, "-P", "-c", SCRIPT], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
