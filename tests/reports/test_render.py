from __future__ import annotations

import re
from datetime import UTC, datetime

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbench.errors import InvalidArgument
from workbench.reports.render import Facts, render

HOSTILE = "<script>x()</script>"
FACTS = Facts(run_id="run-1", status="succeeded", data_version="7-ab", generated_at=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture
def page(tmp_path):
    """Render a notebook of these outputs, and return the page as text."""

    def made(*outputs, facts=FACTS):
        nb = new_notebook(cells=[new_markdown_cell(f"# Funnels {HOSTILE}\nHow *far*.")])
        nb.cells.append(new_code_cell("steps = ['a', 'b']\nwithin = '7d'", metadata={"tags": ["parameters"]}))
        nb.cells.append(new_code_cell("within = '1d'\nupstream = None", metadata={"tags": ["injected-parameters"]}))
        nb.cells.append(new_code_cell("secret_code()", outputs=list(outputs)))
        nbformat.write(nb, tmp_path / "funnels.ipynb")
        render(tmp_path / "funnels.ipynb", tmp_path / "out" / "funnels.html", facts)
        return (tmp_path / "out" / "funnels.html").read_text()

    return made


def shown(**data):
    return new_output("display_data", data={kind.replace("_", "/"): value for kind, value in data.items()})


def test_a_page_states_title_data_version_run_time_and_the_parameters_it_ran_with(page):
    text = re.sub(r"<[^>]+>", "", page())
    for words in ("Funnels", "How far.", "7-ab", "run-1", "2026-11-23 00:00:00 UTC", "within1d", "stepsa, b"):
        assert words in text
    assert "upstream" not in text


def test_a_page_has_no_code_no_script_and_no_address_to_load_from(page):
    text = page(shown(text_plain="2 people"))
    assert "2 people" in text
    assert "secret_code" not in text
    assert "<script" not in text
    assert not re.search(r"(src|href)=.(https?:)?//|@import|url\(", text)
    assert "default-src 'none'" in text


def test_a_live_figure_shows_as_the_picture_it_carries(page):
    data = {
        "application/vnd.jupyter.widget-view+json": {"model_id": "1"},
        "image/svg+xml": "<svg/>",
        "text/plain": "A <chart>",
    }
    text = page(new_output("display_data", data=data))
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in text
    assert 'alt="A &lt;chart&gt;"' in text


def test_progress_bars_and_what_only_a_kernel_could_show_are_left_out(page):
    bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "50%|###"}
    text = page(
        new_output("display_data", data=bar), new_output("display_data", data={"application/javascript": "x()"})
    )
    assert "50%" not in text
    assert "x()" not in text.replace(HOSTILE, "").split("<main>")[1]


@pytest.mark.parametrize("kind", ["text_plain", "text_html", "text_markdown"])
def test_markup_in_the_names_of_events_does_not_act(page, kind):
    text = page(shown(**{kind: f"| {HOSTILE} | <b onclick='x()'>"}), new_output("stream", name="stdout", text=HOSTILE))
    assert "&lt;script&gt;x()&lt;/script&gt;" in text
    assert "<script" not in text
    assert not re.search(r"<b [^>]*onclick", text)


def test_a_partial_notebook_says_that_it_failed_and_where(page):
    error = new_output("error", ename="ValueError", evalue=HOSTILE, traceback=[f"\x1b[31m{HOSTILE}\x1b[0m"])
    text = page(error, facts=Facts(run_id="r", status="failed", data_version="7", generated_at=datetime.now(UTC)))
    assert "failed</strong>" in text
    assert "ValueError</strong>: &lt;script&gt;" in text
    assert "<script" not in text


def test_what_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text("{}")
    with pytest.raises(InvalidArgument, match=r"x\.ipynb is no notebook"):
        render(tmp_path / "x.ipynb", tmp_path / "x.html", FACTS)
