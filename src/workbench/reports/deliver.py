"""Reports and notices on their way: by mail, to a webhook, as a link in Slack, into a folder, to S3.

One recipient that cannot be reached keeps no other from theirs: each gets a `Delivery` of its own.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench import config
from workbench.errors import DeliveryError, InvalidArgument
from workbench.reports import mail, slack, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workbench.config import Settings

_KINDS: Final = "mailto:ann@example.com, https://…, slack:https://…, folder:path, s3://bucket/folder"
_MAIL: Final = re.compile(r"mailto:(?!.*=\?)[^\s@,;:<>\"\\]+@[A-Za-z0-9.-]+")
_HOOK: Final = re.compile(r"(slack:)?https?://[^\s/@]+(/\S*)?")
_MOST_SLACK: Final = 3_000
_BUCKET: Final = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9.-]{1,62}(/\S*)?")


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent.

    Attributes:
        subject: One line.
        text: All of it in plain text.
        html: The same as a page; mail carries it beside the text.
        files: What goes along.
        name: Folder that the files go into where files are what is delivered.
    """

    subject: str
    text: str
    html: str | None = None
    files: tuple[Path, ...] = ()
    name: str = "report"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of a message for one recipient: `status` is `delivered` or `failed`, `detail` says why."""

    to: str
    status: str
    detail: str = ""


def check(address: str) -> str:
    """Return an address as it is, if it is one.

    Raises:
        InvalidArgument: It is none of the kinds that are known.
    """
    folder = address.startswith("folder:") and address.removeprefix("folder:").strip()
    if not address.isprintable() or not (folder or any(kind.fullmatch(address) for kind in (_MAIL, _HOOK, _BUCKET))):
        raise InvalidArgument(f"{shown(address)!r} is no address: there are {_KINDS}")
    if _HOOK.fullmatch(address):
        try:
            webhook.target(address.removeprefix("slack:"))
        except DeliveryError as error:
            raise InvalidArgument(f"{shown(address)!r} is no address: {error}") from error
    return address


def shown(address: str) -> str:
    """Return an address as it may be read by others: what follows the host of a webhook is as good as a password."""
    match = re.match(r"((?:slack:)?https?://)(?:[^/@]*@)?([^/?#]+)", address)
    return f"{match[1]}{match[2]}/…" if match else address


def send(message: Message, to: Sequence[str], settings: Settings) -> list[Delivery]:
    """Send a message to all who are named; none of them keeps another from it.

    Args:
        message: What to send; secrets of the settings are taken out of its text.
        to: Addresses: `mailto:`, a webhook, `slack:` and a webhook, `folder:`, `s3://`.
        settings: How mail is sent, and which private hosts may be told.

    Returns:
        What became of it, in the order of `to`.
    """
    clean = Message(
        subject=config.masked(" ".join(message.subject.split()), settings),
        text=config.masked(message.text, settings),
        html=None if message.html is None else config.masked(message.html, settings),
        files=message.files, name=message.name,
    )  # fmt: skip
    return [_sent(clean, address, settings) for address in to]


def _sent(message: Message, address: str, settings: Settings) -> Delivery:
    try:
        detail = _way(check(address))(message, address, settings)
    except (DeliveryError, InvalidArgument, OSError) as error:
        why = config.masked(str(error), settings).replace(address, shown(address))
        return Delivery(to=shown(address), status="failed", detail=why)
    return Delivery(to=shown(address), status="delivered", detail=detail)


def _way(address: str) -> Callable[[Message, str, Settings], str]:
    scheme = address.split(":", 1)[0]
    return {"mailto": _by_mail, "slack": _by_slack, "folder": _into_folder, "s3": _into_bucket}.get(scheme, _by_webhook)


def _by_mail(message: Message, address: str, settings: Settings) -> str:
    letter = mail.compose(
        message.subject, message.text, message.html, message.files,
        sender=settings.delivery.sender, to=address.removeprefix("mailto:"),
    )  # fmt: skip
    mail.send(letter, settings.delivery)
    return ""


def _by_slack(message: Message, address: str, settings: Settings) -> str:
    subject, text = slack.escaped(message.subject), slack.escaped(message.text[:_MOST_SLACK])
    webhook.post(address.removeprefix("slack:"), {"text": f"*{subject}*\n{text}"}, settings.delivery)
    return ""


def _by_webhook(message: Message, address: str, settings: Settings) -> str:
    told = {"subject": message.subject, "text": message.text, "files": [file.name for file in message.files]}
    webhook.post(address, told, settings.delivery)
    return ""


def _into_folder(message: Message, address: str, settings: Settings) -> str:
    del settings
    folder = config.resolved(address.removeprefix("folder:")) / message.name
    folder.mkdir(parents=True, exist_ok=True)
    for file in message.files:
        partial = folder / f".{file.name}.part"
        shutil.copyfile(file, partial)
        partial.replace(folder / file.name)
    return str(folder)


def _into_bucket(message: Message, address: str, settings: Settings) -> str:
    del settings
    try:
        import fsspec  # noqa: PLC0415 - an extra

        files = fsspec.filesystem("s3")
    except ImportError as error:
        raise DeliveryError("S3 is not installed: install workbench[s3]") from error
    folder = f"{address.rstrip('/')}/{message.name}"
    try:
        for file in message.files:
            files.put_file(str(file), f"{folder}/{file.name}")
    except Exception as error:  # whatever the library raises, other recipients get theirs
        raise DeliveryError(f"{address}: {type(error).__name__}: {error}") from error
    return folder
