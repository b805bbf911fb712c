"""Letters: a plain-text part, beside it the page with its styles inline, as mail programs need them, and files."""

from __future__ import annotations

import mimetypes
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Final

from workbench.errors import DeliveryError

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.config import DeliverySettings

MOST_BYTES: Final = 20 << 20
"""Of all files together: most servers take no more."""


def compose(
    subject: str, text: str, html: str | None, files: tuple[Path, ...], *, sender: str, to: str
) -> EmailMessage:
    """Write a letter.

    Raises:
        DeliveryError: A name holds what a header cannot, or the files are too large.
    """
    letter = EmailMessage()
    try:
        letter["Subject"], letter["From"], letter["To"] = subject, sender, to
    except ValueError as error:  # a line break, by which other headers could be smuggled in
        raise DeliveryError(f"cannot write to {to!r}: {error}") from error
    letter["Date"], letter["Message-ID"] = formatdate(localtime=False), make_msgid(domain="workbench.invalid")
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    if html is not None:
        letter.add_alternative(inlined(html), subtype="html")
    size = sum(file.stat().st_size for file in files)
    if size > MOST_BYTES:
        raise DeliveryError(
            f"the files are {size / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:,.0f} MB that mail takes"
        )
    for file in files:
        kind, _, sub = (mimetypes.guess_type(file.name)[0] or "application/octet-stream").partition("/")
        letter.add_attachment(file.read_bytes(), maintype=kind, subtype=sub, filename=file.name)
    return letter


def inlined(page: str) -> str:
    """Put the styles of a page into its elements; nothing is fetched from anywhere."""
    import css_inline  # noqa: PLC0415 - only where something is mailed

    inline: str = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False).inline(page)
    return inline


def send(letter: EmailMessage, settings: DeliverySettings) -> None:
    """Hand a letter to the server.

    Raises:
        DeliveryError: There is no server in the settings, it is not there, or it refuses.
    """
    if settings.smtp_host is None:
        raise DeliveryError("no mail server is set: give `delivery: {smtp_host: …}` in workbench.yaml")
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with _connected(settings) as server:
            if settings.smtp_user is not None and settings.smtp_password is not None:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(letter)
    except smtplib.SMTPAuthenticationError as error:
        raise DeliveryError(f"{where} refuses the user {settings.smtp_user!r} or the password") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise DeliveryError(f"{where} refuses the recipient {letter['To']}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryError(f"{where} has no {settings.smtp_security}: set `smtp_security` to what it has") from error
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"{where} does not take the mail: {error}") from error


def _connected(settings: DeliverySettings) -> smtplib.SMTP:
    host, port, patience = settings.smtp_host or "", settings.smtp_port, settings.timeout_seconds
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=patience, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=patience)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=ssl.create_default_context())
    except BaseException:
        server.close()
        raise
    return server
