"""Letters: a plain-text part, beside it the page with its styles inline, as mail programs need them, and files."""

from __future__ import annotations

import mimetypes
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Final

from workbench.errors import DeliveryError
from workbench.reports import connection
from workbench.reports.connection import Deadline

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from workbench.config import DeliverySettings

MOST_BYTES: Final = 20 << 20
"""Of all files together: most servers take no more."""

MAX_REPLIES: Final = 256 << 10
"""Bytes of all that a server says during one delivery."""

MIN_BYTES_PER_SECOND: Final = 250_000
"""The slowest upload that the deadline of a mail allows for, beside `timeout_seconds`."""

_MOST_LAYERS: Final = 5
_MOST_SAID: Final = 300
"""Letters of what a server says that are passed on."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def compose(
    subject: str, text: str, html: str | None, files: tuple[Path, ...], *, sender: str, to: str
) -> EmailMessage:
    """Write a letter.

    Raises:
        DeliveryError: A header would hold a line break, plain or in an encoded word, or the files are too large.
    """
    letter = EmailMessage()
    for name, value in (("Subject", subject), ("From", sender), ("To", to)):
        try:
            letter[name] = _header(name, value)
        except (ValueError, IndexError) as error:  # what the library's parser raises for an address that is none
            raise DeliveryError(f"the {name} {value!r} of a mail cannot be written: {error}") from error
    letter["Date"], letter["Message-ID"] = formatdate(localtime=False), make_msgid(domain="workbench.invalid")
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(_sound(text))
    if html is not None:
        letter.add_alternative(inlined(_sound(html)), subtype="html")
    size = sum(file.stat().st_size for file in files)
    if size > MOST_BYTES:
        raise DeliveryError(
            f"the files are {size / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:,.0f} MB that mail takes"
        )
    for file in files:
        kind, _, sub = (mimetypes.guess_type(file.name)[0] or "application/octet-stream").partition("/")
        filename = _header("file name", file.name)
        letter.add_attachment(file.read_bytes(), maintype=kind, subtype=sub, filename=filename)
    return _verified(letter)


def _header(name: str, value: str) -> str:
    """Return a value that is safe in a header.

    `EmailMessage` decodes encoded words when a header is set, and before Python 3.11.10 writes a line break out of
    one as it is: whatever follows would be a header of its own (CVE-2024-6923). Words within words are decoded too.

    Raises:
        DeliveryError: It holds a line break or another control character, plain or encoded.
    """
    decoded = value
    for _ in range(_MOST_LAYERS):
        if _CONTROL.search(decoded):
            raise DeliveryError(
                f"the {name} {value!r} of a mail holds a line break or another control character: take it out"
            )
        before, decoded = decoded, _decoded(decoded)
        if before == decoded:
            return _sound(value)
    raise DeliveryError(f"the {name} {value!r} of a mail is encoded more than {_MOST_LAYERS} times: write it plainly")


def _decoded(value: str) -> str:
    try:
        parts = decode_header(value)
    except HeaderParseError:
        return value
    return "".join(part if isinstance(part, str) else _text(part, charset) for part, charset in parts)


def _text(part: bytes, charset: str | None) -> str:
    try:
        return part.decode(charset or "latin-1", "replace")
    except (LookupError, ValueError):  # no charset that Python knows
        return part.decode("latin-1")


def _verified(letter: EmailMessage) -> EmailMessage:
    """Return a letter that will be read as it was written: with these headers, and no others.

    Raises:
        DeliveryError: A header brings others along, however that was done.
    """
    read = BytesHeaderParser().parsebytes(bytes(letter))
    same = [name.lower() for name in read] == [name.lower() for name in letter]
    values = (str(value) for part in letter.walk() for value in part.values())
    if not same or any(map(_CONTROL.search, values)):
        raise DeliveryError("the headers of a mail hold a line break: take it out of its subject, names and addresses")
    return letter


def _sound(text: str) -> str:
    """Replace halves of surrogate pairs, which no encoding of mail takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def inlined(page: str) -> str:
    """Put the styles of a page into its elements; nothing is fetched from anywhere."""
    import css_inline  # noqa: PLC0415 - only where something is mailed

    inline: str = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False).inline(page)
    return inline


def send(letter: EmailMessage, settings: DeliverySettings) -> None:
    """Hand a letter to the server, within `timeout_seconds` and the time that its bytes take on a slow line.

    Raises:
        DeliveryError: There is no server in the settings, it is not there, too slow, says too much, or refuses.
    """
    if settings.smtp_host is None:
        raise DeliveryError("no mail server is set: give `delivery: {smtp_host: …}` in workbench.yaml")
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    deadline = Deadline(settings.timeout_seconds + len(bytes(letter)) / MIN_BYTES_PER_SECOND)
    try:
        _hand_over(letter, settings, deadline)
    except smtplib.SMTPAuthenticationError as error:
        raise DeliveryError(f"{where} refuses the user {settings.smtp_user!r} or the password") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise DeliveryError(f"{where} refuses the recipient {letter['To']}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryError(f"{where} has no {settings.smtp_security}: set `smtp_security` to what it has") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        why = f"no end of it within {deadline.seconds:.3g} s" if deadline.passed else str(error)[:_MOST_SAID]
        raise DeliveryError(f"{where} does not take the mail: {why}") from error


def _hand_over(letter: EmailMessage, settings: DeliverySettings, deadline: Deadline) -> None:
    host, port = settings.smtp_host or "", settings.smtp_port
    stream = connection.connect(connection.addresses(host, port, deadline), port, deadline)
    with stream, deadline.over(stream):
        if settings.smtp_security == "tls":
            stream = ssl.create_default_context().wrap_socket(stream, server_hostname=host)
        server = _Server(stream, host)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user is not None and settings.smtp_password is not None:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(letter)
            with suppress(smtplib.SMTPException, OSError):  # the mail is taken: how they part changes nothing
                server.putcmd("quit")
        finally:
            server.close()


class _Server(smtplib.SMTP):
    """A mail server at the other end of a connection that is made already, and that may say only so much."""

    def __init__(self, stream: socket.socket, host: str) -> None:
        """Read the greeting."""
        self._stream, name = stream, socket.gethostname()
        # Without a name, smtplib would look this machine up, which knows no deadline.
        super().__init__(host, local_hostname=name if "." in name else _literal(stream))

    def _get_socket(self, *_: object) -> socket.socket:
        return self._stream

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; its lines count against `MAX_REPLIES`."""
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class _Replies:
    """What a server says, up to `MAX_REPLIES`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, MAX_REPLIES

    def readline(self, most: int) -> bytes:
        line = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise OSError(f"it says more than {MAX_REPLIES:,} bytes")
        return line

    def close(self) -> None:
        self._file.close()


def _literal(stream: socket.socket) -> str:
    """Return this machine's address as mail servers are told it where there is no full name."""
    address = str(stream.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
