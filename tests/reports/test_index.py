from __future__ import annotations

from workbench.reports.index import Page, RunReport, publish, published


def report(run_id, *, detail="", status="succeeded"):
    pages = (Page(file="funnels.html", title="Funnels <b>", status=status, seconds=1.25),)
    return RunReport(
        run_id=run_id,
        status=status,
        started_at=f"2026-11-{run_id}T08:00:00+00:00",
        data_version="7-ab",
        until="2026-11-22",
        detail=detail,
        pages=pages,
    )


def test_the_list_links_every_page_of_every_run_the_newest_first(tmp_path):
    for run_id in ("02", "03", "01"):
        index = publish(tmp_path, report(run_id))
    text = index.read_text()
    assert [run.run_id for run in published(tmp_path)] == ["03", "02", "01"]
    assert text.index("03/funnels.html") < text.index("02/funnels.html") < text.index("01/funnels.html")
    assert "Funnels &lt;b&gt;" in text
    assert all(words in text for words in ("7-ab", "2026-11-22", "2026-11-03 08:00"))


def test_a_failed_run_says_on_its_page_what_went_wrong(tmp_path):
    publish(tmp_path, report("02", status="failed", detail="cohorts: <script>"))
    text = (tmp_path / "02/index.html").read_text()
    assert "cohorts: &lt;script&gt;" in text
    assert 'href="funnels.html"' in text


def test_folders_that_are_no_run_are_left_alone(tmp_path):
    (tmp_path / "notes").mkdir()
    assert published(tmp_path) == []
