from __future__ import annotations

import http.server
import json
import socket
import threading
from email import message_from_bytes, policy

import pytest
import s3fs
from aiosmtpd.controller import Controller
from moto.server import ThreadedMotoServer

from workbench.config import Settings
from workbench.errors import InvalidArgument
from workbench.reports import deliver
from workbench.reports.deliver import Message, send

PAGE = "<html><head><style>p { color: red }</style></head><body><p>Gr\u00fc\u00dfe</p></body></html>"


class Sink:
    def __init__(self):
        self.letters = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - as the library calls it
        if address.startswith("nobody"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def sink():
    handler = Sink()
    with socket.create_server(("127.0.0.1", 0)) as free:
        handler.port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def hook():
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(302 if self.path == "/moved" else 200)
            if self.path == "/moved":
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    thread.join()
    server.server_close()


def settings(**delivery):
    return Settings(delivery={"smtp_host": "127.0.0.1", "smtp_security": "none", "timeout_seconds": 5, **delivery})


def message(tmp_path):
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7")
    return Message(subject="Weekly\nreport", text="All is well.", html=PAGE, files=(file,), name="weekly-1")


def test_a_letter_has_a_plain_part_a_page_with_its_styles_inline_and_the_files(sink, tmp_path):
    [done] = send(message(tmp_path), ["mailto:ann@example.com"], settings(smtp_port=sink.port))
    [letter] = sink.letters
    assert (done.status, letter["Subject"], letter["To"]) == ("delivered", "Weekly report", "ann@example.com")
    assert letter.get_body(("plain",)).get_content().strip() == "All is well."
    page = letter.get_body(("html",)).get_content()
    assert 'style="color: red' in page
    assert "Gr\u00fc\u00dfe" in page
    assert [part.get_filename() for part in letter.iter_attachments()] == ["report.pdf"]


def test_one_who_cannot_be_reached_keeps_no_other_from_it(sink, tmp_path):
    to = ["mailto:nobody@example.com", "mailto:ann@example.com", f"folder:{tmp_path}/out"]
    done = send(message(tmp_path), to, settings(smtp_port=sink.port))
    assert [each.status for each in done] == ["failed", "delivered", "delivered"]
    assert "refuses the recipient nobody@example.com" in done[0].detail
    assert (tmp_path / "out/weekly-1/report.pdf").read_bytes() == b"%PDF-1.7"


def test_a_server_that_is_down_or_not_set_is_named(tmp_path):
    [down] = send(message(tmp_path), ["mailto:ann@example.com"], settings(smtp_port=1))
    assert "127.0.0.1:1 does not take the mail" in down.detail
    [unset] = send(message(tmp_path), ["mailto:ann@example.com"], Settings())
    assert "no mail server is set" in unset.detail


def test_a_server_without_encryption_gets_no_mail_unless_that_is_said(sink, tmp_path):
    [done] = send(
        message(tmp_path), ["mailto:ann@example.com"], settings(smtp_port=sink.port, smtp_security="starttls")
    )
    assert (done.status, sink.letters) == ("failed", [])


def test_a_webhook_gets_json_if_its_host_is_allowed(hook, tmp_path):
    url, told = hook
    [done] = send(message(tmp_path), [f"{url}/secret-path"], settings(private_hosts=("127.0.0.1",)))
    assert (done.status, done.to) == ("delivered", f"{url}/…")
    assert told == [("/secret-path", {"subject": "Weekly report", "text": "All is well.", "files": ["report.pdf"]})]
    send(message(tmp_path), [f"slack:{url}/s"], settings(private_hosts=("127.0.0.1",)))
    assert told[1][1]["text"].startswith("*Weekly report*")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x", "https://10.0.0.1/x", "https://192.168.1.9/x",
        "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/x", "https://2130706433/x", "https://0x7f000001/x",
        "https://[::ffff:127.0.0.1]/x",
    ],
)  # fmt: skip
def test_no_machine_of_ones_own_network_is_told_of_anything(url, tmp_path):
    [done] = send(message(tmp_path), [url], Settings())
    assert done.status == "failed"
    assert "delivery.private_hosts" in done.detail
    assert "meta-data" not in done.detail


def test_a_webhook_is_encrypted_and_not_followed_elsewhere(hook, tmp_path):
    url, told = hook
    [plain] = send(message(tmp_path), ["http://example.com/x"], Settings())
    assert "must be https://" in plain.detail
    [moved] = send(message(tmp_path), [f"{url}/moved"], settings(private_hosts=("127.0.0.1",)))
    assert (moved.status, len(told)) == ("failed", 1)
    assert "answers 302" in moved.detail


@pytest.mark.parametrize(
    "address",
    ["ann", "mailto:ann", "mailto:ann@x\nBcc: eve@x", "ftp://x/y", "folder:", "s3://", "https://a:b@c/d", "slack:x"],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(InvalidArgument, match="is no address"):
        deliver.check(address)


def test_secrets_of_the_settings_are_in_no_message_and_no_complaint(sink, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "hunter2-hunter2")
    chosen = settings(smtp_port=sink.port, smtp_user="u", smtp_password="correct-horse")  # noqa: S106
    told = Message(subject="hunter2-hunter2", text="it is correct-horse", html="<p>correct-horse</p>")
    [done] = send(told, ["mailto:ann@example.com"], settings(smtp_port=sink.port))
    text = sink.letters[0].as_string()
    assert "hunter2-hunter2" not in text
    [done] = send(told, ["mailto:ann@example.com"], chosen)  # a server that knows no login
    assert (done.status, "correct-horse" in str(done)) == ("failed", False)


def test_files_go_to_s3(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing-testing")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("reports")
        [done, gone] = send(message(tmp_path), ["s3://reports/weekly", "s3://no-such-bucket"], Settings())
        assert (done.status, done.detail) == ("delivered", "s3://reports/weekly/weekly-1")
        assert s3fs.S3FileSystem().cat("reports/weekly/weekly-1/report.pdf") == b"%PDF-1.7"
        assert gone.status == "failed"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


def test_slack_takes_what_comes_from_events_for_text(hook, tmp_path):
    url, told = hook
    text = "<!channel> <https://evil.example|here> R&D, *bold* first_message _x_ @here > quote"
    message = Message(subject="*<!here>* & co", text=text)
    send(message, [f"slack:{url}/s"], settings(private_hosts=("127.0.0.1",)))
    [(_, content)] = told
    subject, said = content["text"].split("\n")
    assert subject == "**\u200b&lt;!here&gt;* &amp; co*"
    assert said == (
        "&lt;!channel&gt; &lt;https://evil.example|here&gt; R&amp;D, *\u200bbold* first_message _\u200bx_ "
        "@\u200bhere &gt; quote"
    )


@pytest.mark.parametrize(
    "address",
    [
        "https://[x/",
        "https://a..b/",
        "https://a:99999/",
        "slack:https://[1::2/x",
        "https://a\\b/",
        "mailto:=?utf-8?q?=0A?=@x.org",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_before_anything_is_sent(address):
    with pytest.raises(InvalidArgument, match="is no address"):
        deliver.check(address)
    [done] = send(Message(subject="a", text="b"), [address], settings())
    assert done.status == "failed"


def test_an_encoded_word_in_a_title_fails_one_delivery_and_smuggles_nothing(sink, tmp_path):
    smuggled = Message(subject="=?utf-8?q?x=0ABcc:_eve@example.com?=", text="b")
    [mailed, kept] = send(smuggled, ["mailto:ann@example.com", f"folder:{tmp_path}/o"], settings(smtp_port=sink.port))
    assert (mailed.status, kept.status, sink.letters) == ("failed", "delivered", [])
    assert "control character" in mailed.detail
