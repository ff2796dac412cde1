from __future__ import annotations

import shutil

import pytest

from automl.report import RowPredictions, StudyResults, Table, html_comparison, html_report
from tests.support.explanations import EVIL as EVIL_COLUMN
from tests.support.explanations import explanation
from tests.support.html import Page
from tests.support.predictions import class_predictions
from tests.support.trials import search_record, trial_record, trial_records

EVIL = "<script>alert(1)</script>"


def results(**changes):
    facts = search_record(left_out=("column id: an identifier of the rows",), file="customers.csv")
    importances = {"linear": {"model.linear.learning_rate": 1.0}}
    given = {"run_id": "abc123", "model_uri": "models:/m-1", **changes}
    return StudyResults(
        given.pop("facts", facts), given.pop("records", trial_records()), importances, **given
    )


def test_report_is_one_balanced_page_without_external_addresses():
    page = Page(html_report(results()))
    assert page.tags.count("svg") == 5
    assert {"script", "link", "iframe", "object", "img"}.isdisjoint(page.tags)


def test_report_tells_scores_failures_and_exclusions():
    page = Page(html_report(results()))
    rows = iter(page.cells)
    heads = [next(rows) for _ in range(6)]
    assert heads == ["model", "trial", "state", "roc_auc", "std", "time"]
    assert [next(rows) for _ in range(4)] == ["lightgbm", "3", "complete", "0.8"]
    assert "ValueError: <b>bad</b>" in page.cells
    assert page.cells[page.cells.index("column id") + 1] == "an identifier of the rows"
    for text in ("6 complete", "1 pruned", "1 failed", "Failed: 1", "Pruned: 1"):
        assert text in page.text
    for code in (
        "automl.load_model('models:/m-1')",
        "automl export abc123 model",
        "automl resume s --timeout",
    ):
        assert code in page.text


def test_report_shows_names_as_text():
    facts = search_record(
        target=EVIL,
        study_name=f"it's {EVIL}",
        columns={EVIL: "numeric", "=1+1": "text"},
        left_out=(f"{EVIL}: {EVIL}",),
    )
    own = {EVIL: 1.0, "$\\frac$": 2}
    records = (trial_record(0, EVIL, own=own), trial_record(1, EVIL, 0.6, own={EVIL: 2.0}),
               trial_record(2, EVIL, None, "failed", reason=EVIL))  # fmt: skip
    page = Page(html_report(results(facts=facts, records=records, model_uri=f"models:/{EVIL}")))
    assert "script" not in page.tags
    assert EVIL in page.text
    assert "=1+1" in page.text


def test_report_shows_names_of_columns_and_classes_as_text():
    y, found = class_predictions(3)
    names = (EVIL, "$\\frac$", "<b>")
    page = Page(
        html_report(
            results(
                explanation=explanation(names),
                predictions=RowPredictions(y, found, names, f"{EVIL} out of fold"),
            )
        )
    )
    assert {"script", "b"}.isdisjoint(page.tags)
    assert page.tags.count("svg") == 10
    for title in (
        "Important columns",
        "Effects",
        "Most wrong rows",
        "Confusion",
        "Ranking of rows",
        "Calibration",
    ):
        assert title in page.text
    assert EVIL_COLUMN in page.cells


def test_comparison_shows_names_as_text():
    first, second = f"1 {EVIL}", f"2 {EVIL} $\\frac$"
    settings = Table([EVIL, first, second], [[EVIL, "<b>", "$x$"]])
    searches = {first: results(facts=search_record(target=EVIL)), second: results()}
    page = Page(html_comparison(searches, [None, (0.1, 0.0, 0.2)], settings, {second: f"-{EVIL}\n+<b>"}))
    assert {"script", "b"}.isdisjoint(page.tags)
    assert page.tags.count("svg") == 1
    assert {EVIL, first, second, "<b>"} <= set(page.cells)
    assert f"From {first} to {second}" in page.text


def test_report_quotes_names_for_the_shell():
    facts = search_record(study_name="a b; rm -rf x")
    page = Page(html_report(results(facts=facts, tracking_uri="sqlite:///my runs.db", storage="a'b.journal")))
    assert "automl resume 'a b; rm -rf x'" in page.text
    assert "--tracking-uri 'sqlite:///my runs.db'" in page.text


def test_report_hides_passwords():
    page = html_report(results(storage="postgresql://me:s3cret@db/x", tracking_uri="http://me:s3cret@host"))
    assert "s3cret" not in page


@pytest.mark.parametrize("records", [(), (trial_record(0, score=None, state="failed", reason=""),)])
def test_report_without_scores(records):
    page = Page(html_report(results(records=records, model_uri="", run_id="")))
    assert "no trial has a score" in page.text
    assert "svg" not in page.tags


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1200, 390])
def test_report_fits_the_width_of_a_browser(tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api")
    file = tmp_path / "report.html"
    file.write_text(html_report(results()), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        loaded = []
        page.on("request", lambda request: loaded.append(request.url))
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.querySelectorAll('svg').length") == 5
        assert loaded == [file.as_uri()]
        browser.close()
