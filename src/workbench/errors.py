"""Everything that can go wrong, as one tree: one class per thing a caller would handle differently."""

from __future__ import annotations

from typing import Final

_MOST_TOLD: Final = 800
"""Characters of a message that quotes what was given, however huge that was."""


class WorkbenchError(Exception):
    """Any error that Workbench raises on purpose; its message names the value and what is allowed."""


class InvalidSettings(WorkbenchError):
    """A settings file or environment variable has an unknown key or a value that cannot be used."""


class InvalidArgument(WorkbenchError):
    """An argument of a question or a command is out of its range."""

    def __str__(self) -> str:
        """Return the message; of one that quotes something huge, its beginning and its end."""
        text = super().__str__()
        if len(text) <= _MOST_TOLD:
            return text
        left_out = len(text) - _MOST_TOLD
        return f"{text[: _MOST_TOLD // 2]} … ({left_out:,} characters) … {text[-_MOST_TOLD // 2 :]}"


class UnknownEvent(InvalidArgument):
    """A question names an event type that the data does not contain."""


class UnknownTask(InvalidArgument):
    """A run names a task that the pipeline does not have."""


class UnknownProperty(InvalidArgument):
    """A question names a property that no event of the data has."""


class InvalidFunnel(InvalidArgument):
    """A funnel has fewer than two steps, or a window that is not positive."""


class InvalidMapping(WorkbenchError):
    """A mapping does not exist, or its YAML does not say how to build an event."""


class SourceError(WorkbenchError):
    """A file to ingest is missing, unreadable, truncated or not of the format it was said to be."""


class StoreError(WorkbenchError):
    """The store cannot be opened, read or written."""


class StoreNotFound(StoreError):
    """There is no lake at the path, no such database, or no live numbers beside it."""


class StoreTooNew(StoreError):
    """The lake was written by a newer Workbench than this one."""


class StoreFull(StoreError):
    """The disk that holds the lake has no space left; nothing of the batch was written."""


class StoreAway(StoreError):
    """The database of the store does not answer, or has too much to do; what is asked may be asked again."""


class StoreConflict(StoreError):
    """Another process committed the same source, or the same maintenance job, first."""


class StoreCorrupt(StoreError):
    """A file of the lake is missing, or its bytes are not those that were committed."""


class LostEventsWarning(UserWarning):
    """The lake has lost events for good; the message says how many, of which days."""


class NotEnoughData(WorkbenchError):
    """The data is too thin for the answer; the message says what there is and what is needed."""


class NotApplicable(NotEnoughData):
    """What is to be predicted is the same for everybody: there is nothing to tell apart, however much data there is."""


class ModelError(WorkbenchError):
    """A model file is missing, tampered with, or made for other features."""


class GateFailed(ModelError):
    """A newly trained model is not fit to serve; the message says by which measure, and the champion stays."""


class PipelineError(WorkbenchError):
    """A task of the pipeline failed; the message names it and where its partial notebook is."""


class DeliveryError(WorkbenchError):
    """A report or a notice could not be handed over: no server, no host, or it was refused."""


class ReportError(WorkbenchError):
    """A report could not be made or printed; the message says which part, and what is missing."""


class QualityError(PipelineError):
    """A check of the data that is set to stop runs found something odd; the message says which and the numbers."""
