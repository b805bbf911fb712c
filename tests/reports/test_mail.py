from __future__ import annotations

import base64
import resource
import time
from email import message_from_bytes, policy

import pytest

from tests.reports import hostile
from workbench.config import Settings
from workbench.errors import DeliveryError
from workbench.reports import mail


def settings(port, **delivery):
    chosen = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "timeout_seconds": 1, **delivery}
    return Settings(delivery=chosen).delivery


def letter(subject="Weekly", sender="wb@example.com", to="ann@example.com", files=()):
    return mail.compose(subject, "All is well.", None, files, sender=sender, to=to)


def smtp(*answers):
    """A server that greets, answers what it is told with these, one after the other, and then is silent."""

    def talk(connection, stop, heard):
        connection.sendall(b"220 ready\r\n")
        hostile.answering(*answers)(connection, stop, heard)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        hostile.silent,
        hostile.dripping(b"220-welcome\r\n"),
        smtp(),
        smtp(b"250 hello\r\n", b"250 sender\r\n", b"250 recipient\r\n"),
    ],
    ids=["silent", "dripping greeting", "silent after the greeting", "silent at the data"],
)
@pytest.mark.parametrize("security", ["none", "starttls"])
def test_a_server_that_does_not_come_to_an_end_is_left_at_the_deadline(talk, security):
    with hostile.server(talk) as (port, _):
        began = time.monotonic()
        with pytest.raises(DeliveryError, match=f"127.0.0.1:{port} (does not take the mail|has no starttls)"):
            mail.send(letter(), settings(port, smtp_security=security))
        assert time.monotonic() - began < 3


def test_a_handshake_that_drips_is_left_at_the_deadline():
    with hostile.server(hostile.dripping(b"\x16\x03\x03\x40\x00" + bytes(100))) as (port, _):
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="does not take the mail: no end of it within 1"):
            mail.send(letter(), settings(port, smtp_security="tls"))
        assert time.monotonic() - began < 3


def test_a_reply_without_end_is_read_no_further_than_its_bound():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with hostile.server(hostile.endless(b"220-hello\r\n", b"220-and more\r\n" * 5_000)) as (port, _):
        began = time.monotonic()
        with pytest.raises(DeliveryError, match="says more than 262,144 bytes"):
            mail.send(letter(), settings(port, timeout_seconds=20))
        assert time.monotonic() - began < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_mail_that_was_taken_is_delivered_though_the_server_never_says_goodbye():
    taken = (b"250 hello\r\n", b"250 sender\r\n", b"250 recipient\r\n", b"354 go on\r\n", b"250 taken\r\n")
    with hostile.server(smtp(*taken)) as (port, heard):
        began = time.monotonic()
        mail.send(letter(), settings(port))
        assert time.monotonic() - began < 1
    assert b"Subject: Weekly" in b"".join(heard)


def test_a_large_mail_has_the_time_that_its_bytes_take(tmp_path, monkeypatch):
    deadlines = []

    class Noted(mail.Deadline):
        def __init__(self, seconds):
            deadlines.append(seconds)
            super().__init__(0.1)

    monkeypatch.setattr(mail, "Deadline", Noted)
    (tmp_path / "big.pdf").write_bytes(bytes(10 << 20))
    for files in ((), (tmp_path / "big.pdf",)):
        with pytest.raises(DeliveryError), hostile.server(hostile.silent) as (port, _):
            mail.send(letter(files=files), settings(port, timeout_seconds=20))
    assert deadlines[0] == pytest.approx(20, abs=0.1)
    assert deadlines[1] == pytest.approx(20 + 14.3e6 / mail.MIN_BYTES_PER_SECOND, rel=0.02)


B64 = base64.b64encode(b"x\r\nBcc: eve@example.com").decode()
SMUGGLED = [
    "x\nBcc: eve@example.com", "x\rBcc: eve@example.com", "x\r\nBcc: eve@example.com", "x\n\nbody",
    "=?utf-8?q?x=0ABcc:_eve@example.com?=", "=?utf-8?q?x=0D=0ABcc:_eve@example.com?=", f"=?utf-8?b?{B64}?=",
    "=?UTF-8?Q?x=0aBcc:_eve@example.com?=", "a =?utf-8?q?x=0ABcc:_eve@example.com?= b",
    "=?us-ascii*en?q?x=0ABcc:_eve@example.com?=", "=?utf-7?q?x+AAo-Bcc:_eve@example.com?=",
    "=?latin-1?q?x=0A=0Abody?=", "=?unknown?q?x=0ABcc:_eve@example.com?=", "=?utf-8?q?x=00y?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3D0ABcc=3A=5Feve@example.com=3F=3D?=",
]  # fmt: skip


@pytest.mark.parametrize("text", SMUGGLED)
@pytest.mark.parametrize("where", ["subject", "sender name", "sender", "to"])
def test_no_header_is_smuggled_in_plainly_or_by_an_encoded_word(text, where):
    given = {
        "subject": {"subject": text},
        "sender name": {"sender": f'"{text}" <wb@example.com>'},
        "sender": {"sender": f"{text}@example.com"},
        "to": {"to": f"{text} <ann@example.com>"},
    }[where]
    with pytest.raises(DeliveryError, match="control character"):
        letter(**given)


def test_no_header_is_smuggled_in_by_the_name_of_a_file(tmp_path):
    file = tmp_path / "=?utf-8?q?x=0ABcc:_eve@example.com?=.pdf"
    file.write_bytes(b"%PDF")
    with pytest.raises(DeliveryError, match="file name"):
        letter(files=(file,))


@pytest.mark.parametrize(
    "subject", ["Gr\u00fc\u00dfe \u2192 \u4f60\u597d", "=?utf-8?q?caf=C3=A9?=", "a =? b", "=?x?= 5 % = 3?"]
)
def test_other_subjects_arrive_and_bring_no_header_along(subject):
    read = message_from_bytes(bytes(letter(subject=subject)), policy=policy.default)
    assert sorted(set(read.keys())) == sorted(
        ["Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
         "MIME-Version"]
    )  # fmt: skip
    assert read["Subject"] == subject.replace("=?utf-8?q?caf=C3=A9?=", "caf\u00e9")


def test_half_a_surrogate_pair_is_replaced():
    assert message_from_bytes(bytes(letter(subject="a\ud800b")), policy=policy.default)["Subject"] == "a?b"
