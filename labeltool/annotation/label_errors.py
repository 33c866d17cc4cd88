"""The list of probable label errors that `labeltool check` leaves for the review; it may be deleted at will."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from labeltool.records import Value
from labeltool.util.files.atomic_write import write_bytes
from labeltool.util.files.bounded_read import MAX_TABLE_BYTES, read_bytes
from labeltool.util.files.writable import kept

_FILE = "label_errors.json"


@dataclass(frozen=True, slots=True)
class LabelError:
    """A verdict that is probably wrong.

    Attributes
    ----------
    clip_id, label, value
        The verdict; "none of these" is one that `predicted` is absent.
    probability
        Of the verdict, 0 to 1, by classifiers that were trained without the clip.
    predicted
        The label that they predict, "" for none.
    score
        How suspicious it is; the larger, the more.
    is_probable
        Whether it is among the first ones, of which there are as many as errors are estimated.
    """

    clip_id: int
    label: str
    value: Value
    probability: float
    predicted: str
    predicted_probability: float
    score: float
    is_probable: bool = False

    @property
    def reason(self) -> str:
        """Why it is suspicious, for a person."""
        if self.value is Value.PRESENT and not self.predicted:
            return f"the other clips predict no {self.label!r} ({1.0 - self.probability:.0%})"
        return f"the other clips predict {self.predicted!r} ({self.predicted_probability:.0%})"


@dataclass(frozen=True, slots=True)
class LabelErrorList:
    """What a check of the labels found.

    Attributes
    ----------
    mark
        Id of the newest journal row: what was labelled later was not checked.
    by
        What the clips were compared by: a pretrained model's name, or "sound".
    errors
        The most suspicious first.
    """

    mark: str
    by: str
    errors: tuple[LabelError, ...]


def write_list(cache: Path, found: LabelErrorList) -> None:
    """Write the list into a project's cache."""
    write_bytes(cache / _FILE, msgspec.json.encode(found))


def read_list(cache: Path) -> LabelErrorList | None:
    """Return the list of the last check; None where there is none, or it cannot be read."""
    try:
        return msgspec.json.decode(read_bytes(kept(cache / _FILE), MAX_TABLE_BYTES), type=LabelErrorList)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
