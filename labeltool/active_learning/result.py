"""The result of suggesting labels."""

from __future__ import annotations

from dataclasses import dataclass

from labeltool.records import Skipped


@dataclass(frozen=True, slots=True)
class SuggestResult:
    """What suggested labels, and for how many clips.

    Attributes
    ----------
    model
        Id of the model whose suggestions are in the store; None where there is none and only the queue was written.
    pretrained
        Name of the pretrained model that suggests; None for a network of the project.
    why
        Why a pretrained model suggests, or why it does not, in words; "" where none was considered.
    left_out
        Number of unlabelled clips without one because the time was up.
    """

    model: int | None
    pretrained: str | None
    why: str
    suggestions: int
    skipped: tuple[Skipped, ...]
    left_out: int = 0
