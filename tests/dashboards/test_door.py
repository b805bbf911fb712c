"""The door of the dashboards, before a real server: who comes in, how many, and to whose kernel."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import pytest

from tests.dashboards.browsers import NOTEBOOKS, small
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

    def get(self, url, data=None, method=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with self.opener.open(urllib.request.Request(url, data, headers, method=method), timeout=120) as answer:  # noqa: S310
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


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """A server with a token, one small page, a kernel that waits for it, and two kernels a browser."""
    settings = DashboardSettings(token=TOKEN, visitors=6, kernels_per_browser=2, warm=1, idle_seconds=600)
    with running(small(tmp_path_factory.mktemp("little")), port=0, settings=settings) as (url, _):
        yield url


@pytest.fixture
def person(little):
    """Somebody who has logged in."""
    visitor = Visitor()
    visitor.log_in(little, TOKEN)
    return visitor


def shaken(url, path, **headers):
    """Ask for a websocket; return the status and the seconds."""
    parts, began = urlsplit(url), time.monotonic()
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)) as connection:
        asked = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f"http://{parts.netloc}",
        }  # fmt: skip
        connection.request("GET", path, headers=asked | headers)
        return connection.getresponse().status, time.monotonic() - began


WRONG = "a token of many lettres"
KERNEL = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "path",
    ["/", "/voila/render/main.ipynb", f"/api/kernels/{KERNEL}", "/voila/api/contents/", f"/voila/query/{KERNEL}"],
)
@pytest.mark.parametrize("way", ["header", "bearer", "query", "cookie"])
def test_a_wrong_token_waits_on_every_way_in(little, path, way):
    name = f"username-{urlsplit(little).netloc}".replace(".", "-").replace(":", "-")
    address, headers = {
        "header": (path, {"Authorization": f"token {WRONG}"}),
        "bearer": (path, {"Authorization": f"Bearer {WRONG}"}),
        "query": (f"{path}?token={urllib.parse.quote(WRONG)}", {}),
        "cookie": (path, {"Cookie": f'{name}="2|1:0|10:1796067306|4:name|4:eHh4|0000"'}),
    }[way]
    began = time.monotonic()
    status, _, _, url = Visitor().get(urljoin(little, address), **headers)
    assert time.monotonic() - began >= 1
    assert status == 403 or urlsplit(url).path == "/login"


@pytest.mark.parametrize("path", [f"/api/kernels/{KERNEL}/channels", f"/voila/query/{KERNEL}"])
def test_a_websocket_needs_the_token_and_waits_for_a_wrong_one(little, path):
    assert shaken(little, path)[0] == 403
    status, seconds = shaken(little, path, Authorization=f"token {WRONG}")
    assert (status, seconds >= 1) == (403, True)


def test_the_query_of_a_page_is_told_to_who_has_the_token(little):
    assert shaken(little, f"/voila/query/{KERNEL}", Authorization=f"token {TOKEN}")[0] == 101


def test_nothing_waits_without_a_token_or_with_the_right_one(little, person):
    began = time.monotonic()
    assert urlsplit(Visitor().get(little)[3]).path == "/login"
    assert person.get(urljoin(little, "/"))[0] == 200
    assert Visitor().get(urljoin(little, "/"), Authorization=f"token {TOKEN}")[0] == 200
    assert time.monotonic() - began < 1


def test_the_cookie_ends_with_the_browser(person):
    cookies = [cookie for cookie in person.jar if cookie.name.startswith("username-")]
    assert [(cookie.expires, cookie.discard, cookie.has_nonstandard_attr("HttpOnly")) for cookie in cookies] == [
        (None, True, True)
    ]


def test_who_logs_out_is_asked_for_the_token_and_a_copy_of_the_cookie_is_worth_nothing(little, person):
    copy = Visitor()
    for cookie in person.jar:
        copy.jar.set_cookie(cookie)
    kernel = urljoin(little, f"/api/kernels/{kernel_of(person.get(little)[2])}")
    assert person.get(kernel)[0] == 200
    assert person.get(urljoin(little, "/logout"), Sec_Fetch_Site="cross-site")[0] == 403
    status, _, text, url = person.get(urljoin(little, "/logout"), Sec_Fetch_Site="same-origin")
    assert (status, urlsplit(url).path, 'type="password"' in text) == (200, "/login", True)
    for visitor in (person, copy):
        assert urlsplit(visitor.get(urljoin(little, "/"))[3]).path == "/login"
    again = Visitor()
    again.log_in(little, TOKEN)
    assert again.get(kernel)[0] == 404  # it ended


FOREIGN = [
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
    {"Sec_Fetch_Site": "anything else", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
    {"Sec_Fetch_Site": "none", "Sec_Purpose": "prefetch;prerender"},
    {"Purpose": "prefetch"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_elsewhere_starts_no_kernel_unseen(little, person, headers):
    status, _, text, _ = person.get(little, **headers)
    assert (status, "kernelId" in text) == (403, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        {"Referer": "https://elsewhere.example/"},
    ],
)
def test_a_link_elsewhere_leads_to_a_page_that_asks_first(little, person, headers):
    status, answered, text, _ = person.get(f"{little}?days=7&x=%22%3E", **headers)
    assert (status, answered["Cache-Control"], "kernelId" in text) == (200, "no-store", False)
    assert 'href="/voila/render/main.ipynb?days=7&amp;x=%22%3E"' in text


def test_a_browser_has_only_so_many_kernels_however_its_pages_start(little, person):
    """The first page takes the kernel that waits, the second starts one: both count."""
    own = {"Sec_Fetch_Site": "same-origin"}
    assert [person.get(little, **own)[0] for _ in range(2)] == [200, 200]
    status, headers, text, _ = person.get(little, **own)
    assert (status, headers["Retry-After"], "Too many pages are open" in text) == (429, "10", True)
    other = Visitor()
    other.log_in(little, TOKEN)
    assert other.get(little)[0] == 200
    person.get(urljoin(little, "/logout"))
    other.get(urljoin(little, "/logout"))


def test_every_answer_says_what_browsers_may_do_with_it(little, person):
    for path in ("/", "/login", "/nothing", "/voila/static/voila.js", "/voila/templates/lab/static/voila.js"):
        headers = person.get(urljoin(little, path))[1]
        assert (headers["Referrer-Policy"], headers["X-Content-Type-Options"]) == ("same-origin", "nosniff"), path
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


PATHS = [
    "/voila/templates", "/voila/templates/", "/voila/templates/x", "/voila/templates/x/y",
    "/voila/templates/lab/static", "/voila/templates/lab/static/..", "/voila/templates/lab/other/x.js",
    "/voila/templates/none/static/x.js", "/voila/templates/lab/static/%00", "/voila/templates/..%2f..",
    "/voila/static/%00", "/voila/labextensions/%00", "/voila/api/themes/%00", "/voila/render/%00",
    "/voila/render/none.ipynb", "/voila/render/x.py", "/voila/tree/%00",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_none_is_no_fault_of_the_server(little, person, path):
    assert person.get(urljoin(little, path))[0] in {403, 404}
