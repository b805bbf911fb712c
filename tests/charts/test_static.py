from __future__ import annotations

import re
import subprocess
import sys
import threading
from dataclasses import replace
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from workbench.charts.spec import Chart, Line
from workbench.charts.static import svg

SVG = "{http://www.w3.org/2000/svg}"


def parsed(chart, **size) -> ET.Element:
    return ET.fromstring(svg(chart, **size))  # noqa: S314 - our own drawing


def texts(chart) -> list[str]:
    return ["".join(element.itertext()) for element in parsed(chart).iter(f"{SVG}text")]


def test_every_chart_is_one_well_formed_image_with_a_name(chart):
    root = parsed(chart)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label").split(" ")[0] in chart.title


def test_a_chart_is_the_same_bytes_every_time(chart):
    assert svg(chart) == svg(chart)


def test_a_chart_refers_to_nothing_outside_of_itself(chart):
    drawn = svg(chart)
    assert drawn.count("http") == drawn.count('"http://www.w3.org/2000/svg"') == 1
    assert not re.search(r"<!DOCTYPE|<\?xml|<image|@import|<script", drawn)


def test_every_reference_has_its_target_and_every_id_says_whose_it_is(chart):
    drawn = svg(chart)
    ids = re.findall(r' id="([^"]+)"', drawn)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([\w-]+)', drawn)) <= set(ids)
    assert all(name.startswith(ids[0]) for name in ids)


def test_two_charts_in_one_page_do_not_share_an_id_or_a_style(charts):
    one, other = svg(charts.trend), svg(charts.funnel)
    ids = [set(re.findall(r' id="([^"]+)"', drawn)) for drawn in (one, other)]
    assert not ids[0] & ids[1]
    assert not re.search(r"<style[^>]*>\s*\*", one + other)


def test_title_labels_and_note_are_texts(charts):
    shown = texts(charts.funnel)
    assert {charts.funnel.title, charts.funnel.note, charts.funnel.y_label, "raid_joined", "2,310 · 28%"} <= set(shown)


def test_a_heat_map_writes_its_numbers_in_its_cells(charts):
    assert texts(charts.retention).count("100%") == 8


def test_a_ring_says_how_much_and_what_share(charts):
    assert {"discord", "52,310", "61.6%", "84,877"} <= set(texts(charts.platforms))


def test_a_sankey_names_its_nodes_and_columns_and_a_graph_its_heaviest_arrows(charts):
    assert {"view", "(end)", "buy", "0", "+1", "+2", charts.sankey.x_label} <= set(texts(charts.sankey))
    assert {"<b>view</b>", "cart $x^2$", "100%", "60%"} <= set(texts(charts.graph))


@pytest.mark.parametrize("name", ["empty", "all_nan", "nowhere"])
def test_without_numbers_a_chart_says_so(charts, name):
    assert "no data" in texts(getattr(charts, name))


def test_hostile_labels_are_texts_and_never_markup_or_mathematics(charts):
    root = parsed(charts.hostile)
    shown = " ".join(texts(charts.hostile))
    assert not [element.tag for element in root.iter() if element.tag.endswith(("script", "}b", "}i"))]
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    assert '<script>alert("x")</script> & $x^2$' in shown
    assert "$\\frac{1}{2}$" in shown


def test_a_gap_breaks_the_line(charts):
    whole = replace(charts.trend, marks=(Line(x=(0.0, 1.0, 2.0, 3.0), y=(1.0, 2.0, 3.0, 4.0)),), x_scale="linear")
    broken = replace(charts.trend, marks=(Line(x=(0.0, 1.0, 2.0, 3.0), y=(1.0, None, 3.0, 4.0)),), x_scale="linear")
    assert drawn_strokes(broken) == drawn_strokes(whole) + 1


def drawn_strokes(chart: Chart) -> int:
    """Count how often the pen is put down in paths of the first series' colour."""
    paths = re.findall(r'<path d="([^"]+)"[^>]*style="fill: none; stroke: #0072b2', svg(chart))
    return sum(path.count("M ") for path in paths)


def test_the_users_own_matplotlib_settings_change_nothing_and_stay(charts):
    before = svg(charts.trend)
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.fonttype": "path", "text.usetex": False}):
        assert svg(charts.trend) == before
        assert mpl.rcParams["svg.fonttype"] == "path"


def test_many_threads_draw_the_same(charts):
    drawn: list[str] = []
    threads = [threading.Thread(target=lambda: drawn.append(svg(charts.funnel))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(drawn) == {svg(charts.funnel)}


def test_drawing_needs_neither_pyplot_nor_bqplot():
    code = "import sys, workbench.charts.static; print({'matplotlib.pyplot', 'bqplot', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_size_is_as_asked(charts):
    root = parsed(charts.trend, width=400, height=220)
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("400", "220", "0 0 400 220")
