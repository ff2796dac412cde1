from __future__ import annotations

from automl.report import StudyResults, html_summary
from automl.select import CorrectedScore
from tests.support.html import Page
from tests.support.trials import search_record, trial_record, trial_records

EVIL = "<script>alert(1)</script>"


def summary(records=None, **facts):
    ensemble = {"ensemble_score": 0.79, "ensemble_low": 0.72, "ensemble_high": 0.84}
    corrected = CorrectedScore(0.78, 0.7, 0.83, 0.8, 0.5, 1.0, 6, 400, **ensemble)
    return html_summary(StudyResults(search_record(**facts), records or trial_records(), corrected=corrected))


def test_summary_has_score_winner_families_figure_and_next_steps():
    html = summary()
    page = Page(html)
    for title in ("Best of each family", "Best trial: 3, lightgbm", "Next steps"):
        assert title in page.text
    rows = iter(page.cells)
    assert [next(rows) for _ in range(10)][5:9] == ["lightgbm", "3", "0.8", "3"]
    assert page.cells[page.cells.index("learning_rate") + 1] == "0.001"
    for text in ("0.8", "0.78", "corrected; 95 % interval 0.7 to 0.83", "0.72 to 0.84"):
        assert text in page.text
    assert 'src="data:image/png;base64,' in html
    assert "http" not in html
    assert "search.explain()" in html


def test_summary_shows_names_as_text():
    records = (trial_record(0, EVIL, own={EVIL: EVIL}),)
    assert "script" not in Page(summary(records, target=EVIL, study_name=EVIL)).tags
