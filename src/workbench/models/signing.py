"""The key that models are signed with: only what this project published is ever loaded.

The key lies beside the models, never among them: who can write into a shared folder or bucket can then replace a
model, but not sign it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Final

from workbench import config
from workbench.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

BYTES: Final = 32


class Signer:
    """Signs and verifies with the key in a file; the file is made when something is signed first."""

    def __init__(self, path: Path) -> None:
        """Take where the key is, or will be."""
        self.path = path

    def sign(self, purpose: str, content: bytes) -> str:
        """Return the signature of content that serves a purpose, as hex digits."""
        self._make()
        return self._digest(purpose, content)

    def verify(self, purpose: str, content: bytes, signature: str) -> bool:
        """Tell whether a signature is of this key, this purpose and this content.

        Raises:
            ModelError: There is no key, or others than its owner can read or replace it.
        """
        return hmac.compare_digest(self._digest(purpose, content).encode(), signature.strip().encode())

    def _digest(self, purpose: str, content: bytes) -> str:
        return hmac.new(self._key(), purpose.encode() + b"\0" + content, hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        try:
            key = self.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"no key at {self.path}: models are verified with it; copy it from where they were trained, or train "
                "anew"
            ) from error
        if exposed := config.exposed(self.path):
            raise ModelError(exposed)
        if len(key) < BYTES:
            raise ModelError(f"{self.path} holds {len(key)} bytes; a key has at least {BYTES}")
        return key

    def _make(self) -> None:
        """Make a key that only its owner can read, unless there is one."""
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(BYTES))
        try:
            os.link(scratch, self.path)  # fails where another process was first; then its key is the one
        except FileExistsError:
            return
        finally:
            scratch.unlink()
