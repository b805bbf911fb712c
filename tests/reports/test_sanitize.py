from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

from workbench.reports.sanitize import TAGS, clean


def test_a_table_of_a_data_frame_stays_a_table():
    markup = clean(pd.DataFrame({"event": ["<script>x()</script>"], "users": [3]})._repr_html_())
    assert markup.count("<td>") == 2
    assert "&lt;script&gt;x()&lt;/script&gt;" in markup
    assert "style" not in markup


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.update(attrs)


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>x()</script>",
        "<img src=x onerror=x()>",
        "<svg onload=x()>",
        "<iframe src='https://example.com'></iframe>",
        "<p onclick='x()'>p</p>",
        "<a href='javascript:x()'>a</a>",
        "<a href='java\tscript:x()'>a</a>",
        "<style>p { background: url(https://example.com) }</style>",
        "<table><script>x()</script></table>",
        "<form action=/x><input name=a></form>",
    ],
)
def test_nothing_that_acts_or_loads_is_left(hostile):
    seen = Seen()
    seen.feed(clean(hostile))
    assert seen.tags <= TAGS
    assert seen.attributes == set()
