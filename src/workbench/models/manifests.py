"""The manifest of a version of a model: what it is, what it was trained from, and a checksum per file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from workbench.errors import ModelError

FORMAT: Final = 2


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What one version is.

    Attributes:
        name: Of the model.
        kind: Which class reads it.
        trained_until: End of the data it saw, exclusive.
        data_version: Version of the events.
        features: Names, in order.
        feature_version: Of their definition.
        horizon_days: How far ahead it looks.
        metrics: By name, out of time.
        code: Hash of the code that trained it.
        files: Checksum (SHA-256) by file name.
        method: Which of several methods of its kind predicts, where there are several: of `ltv.METHODS`.
        format: Of the manifest.
    """

    name: str
    kind: str
    trained_until: datetime
    data_version: str
    features: tuple[str, ...]
    feature_version: str
    horizon_days: int
    metrics: dict[str, float]
    code: str
    files: dict[str, str]
    method: str = ""
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Return the same bytes for equal manifests."""
        fields = {**asdict(self), "trained_until": self.trained_until.isoformat()}
        return json.dumps(fields, indent=1, sort_keys=True).encode()

    @property
    def version(self) -> str:
        """The name of the version."""
        return f"{self.trained_until:%Y%m%d}-{hashlib.sha256(self.to_json()).hexdigest()[:12]}"

    def differences(self, other: Manifest) -> list[tuple[str, str, str]]:
        """Return in what another version differs: what, of this one, of the other one."""
        facts = ("trained_until", "data_version", "feature_version", "horizon_days", "code", "kind", "method")
        rows = [(what, str(getattr(self, what)), str(getattr(other, what))) for what in facts]
        rows += [
            (f"feature {feature}", *(("yes", "no") if feature in self.features else ("no", "yes")))
            for feature in sorted(set(self.features) ^ set(other.features))
        ]
        for metric in sorted(self.metrics.keys() | other.metrics.keys()):
            before, after = (each.metrics.get(metric, float("nan")) for each in (self, other))
            rows.append((metric, f"{before:.4g}", f"{after:.4g}"))
        return [row for row in rows if row[1] != row[2]]


def parsed(name: str, place: str, content: bytes) -> Manifest:
    """Read a manifest.

    Args:
        name: Of the model that it should be of.
        place: Where it was read, for the error.
        content: Its JSON.

    Raises:
        ModelError: It is none, of another model, or of another format.
    """
    try:
        fields = json.loads(content)
        fields["trained_until"] = datetime.fromisoformat(fields["trained_until"])
        manifest = Manifest(**{**fields, "features": tuple(fields["features"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{place} has no manifest of this Workbench: {error}") from error
    if manifest.name != name or manifest.format != FORMAT:
        raise ModelError(f"{place} is of model {manifest.name!r}, format {manifest.format}, not {name!r}, {FORMAT}")
    return manifest
