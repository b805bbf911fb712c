"""The door of the dashboards, before a real server: who comes in, how many, and to whose kernel."""

from __future__ import annotations

import http.cookiejar
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import pytest

from tests.dashboards.browsers import NOTEBOOKS
from workbench.config import DashboardSettings
from workbench.dashboards.door import _without_token
from workbench.dashboards.serve import PAGE, _check, running
from workbench.errors import InvalidArgument

TOKEN = "a token of many letters"  # noqa: S105 - of this test
PLACES = 2


class Visitor:
    """A browser without a screen: it keeps cookies, and follows redirects."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, url, data=None, method=None):
        try:
            with self.opener.open(urllib.request.Request(url, data, method=method), timeout=120) as answer:  # noqa: S310
                return answer.status, answer.headers, answer.read().decode(), answer.url
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode(), error.url

    def log_in(self, url, token):
        _, _, text, _ = self.get(urljoin(url, "/login"))
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', text)[1]
        form = urllib.parse.urlencode({"password": token, "_xsrf": xsrf}).encode()
        return self.get(urljoin(url, "/login?next=" + urllib.parse.quote("/")), form)


def kernel_of(text):
    return re.search(r'"kernelId": ?"([\w-]+)"', text)[1]


@pytest.fixture(scope="module")
def guarded():
    """A server with a token and two places."""
    settings = DashboardSettings(token=TOKEN, visitors=PLACES, warm=0, idle_seconds=10)
    with running(NOTEBOOKS, port=0, settings=settings) as (url, _):
        yield url


@pytest.fixture(scope="module")
def crowd(guarded):
    """Five people who come at the same moment, and what they are answered."""
    people = [Visitor() for _ in range(5)]
    for person in people:
        person.log_in(guarded, TOKEN)
    with ThreadPoolExecutor(5) as pool:
        return [*zip(people, pool.map(lambda person: person.get(guarded), people), strict=True)]


def test_a_page_asks_for_the_token_first(guarded):
    status, _, text, url = Visitor().get(guarded)
    assert status == 200
    assert urlsplit(url).path == "/login"
    assert 'type="password"' in text


def test_a_wrong_token_is_refused_after_a_while(guarded):
    began = time.monotonic()
    status, _, text, _ = Visitor().log_in(guarded, "another token, as long")
    assert (status, time.monotonic() - began >= 1) == (401, True)
    assert "This is not the token." in text


def test_the_right_token_opens_the_list_of_pages(guarded):
    status, _, text, _ = Visitor().log_in(guarded, TOKEN)
    assert status == 200
    assert "main.ipynb" in text


def test_a_token_in_the_address_is_taken_out_of_it(guarded):
    person = Visitor()
    status, _, text, url = person.get(urljoin(guarded, "/?" + urllib.parse.urlencode({"token": TOKEN})))
    assert status == 200
    assert "main.ipynb" in text
    assert "token" not in url
    assert _without_token("//example.org/x?token=1&days=7") == "/x?days=7"


def test_a_crowd_gets_the_places_there_are_and_the_others_a_page_that_asks_again(crowd):
    answers = [answer for _, answer in crowd]
    assert sorted(status for status, *_ in answers) == [200] * PLACES + [503] * 3
    for status, headers, text, _ in answers:
        if status == 503:
            assert headers["Retry-After"] == "10"
            assert "All places are taken" in text
            assert 'http-equiv="refresh"' in text


def test_nobody_reaches_the_kernel_of_somebody_else(guarded, crowd):
    (owner, (_, _, text, _)), _ = [each for each in crowd if each[1][0] == 200]
    kernel = urljoin(guarded, f"/api/kernels/{kernel_of(text)}")
    assert owner.get(kernel)[0] == 200
    other = Visitor()
    other.log_in(guarded, TOKEN)
    assert other.get(kernel)[0] == 404
    assert owner.get(kernel + "/channels")[0] == 400  # theirs, but not asked for as a websocket
    assert other.get(kernel + "/channels")[0] == 404
    assert Visitor().get(kernel)[0] == 403
    assert other.get(urljoin(guarded, f"/voila/api/shutdown/{kernel_of(text)}"), b"", "POST")[0] in {403, 404}
    assert owner.get(kernel)[0] == 200


@pytest.mark.parametrize("path", ["/api/kernels", "/api/sessions", "/api/terminals", "/api/contents", "/lab", "/tree"])
def test_there_is_no_list_of_kernels_no_shell_and_no_editor(guarded, path):
    person = Visitor()
    person.log_in(guarded, TOKEN)
    assert person.get(urljoin(guarded, path))[0] == 404


def test_a_kernel_that_nobody_looks_at_is_ended_and_its_place_is_free(guarded, crowd):
    left = next(person for person, (status, *_) in crowd if status == 503)
    deadline = time.monotonic() + 75
    while (status := left.get(guarded)[0]) == 503 and time.monotonic() < deadline:
        time.sleep(3)
    assert status == 200


def test_without_a_token_others_than_this_machine_are_refused():
    with pytest.raises(InvalidArgument, match="WORKBENCH_DASHBOARDS__TOKEN"), running(NOTEBOOKS, host="0.0.0.0"):  # noqa: S104
        pass


def test_with_a_token_others_than_this_machine_are_let_in():
    _check(NOTEBOOKS, "0.0.0.0", PAGE, DashboardSettings(token=TOKEN))  # noqa: S104 - the point of it


def test_a_short_token_is_refused():
    with pytest.raises(ValueError, match="16"):
        DashboardSettings(token="short")  # noqa: S106
