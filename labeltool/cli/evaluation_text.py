"""An evaluation as text that fits a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import narrate, quoted

if TYPE_CHECKING:
    from labeltool.evaluation.unseen_labels import MeasuredOnAll
    from labeltool.tasks.evaluate import EvaluateResult
    from labeltool.tasks.retrain_result import RetrainResult

_COLUMNS = 80
_NO_PLOTS = ", without plots: they need matplotlib (`pip install labeltool[plots]`)"
_PREDICTED_AS = "predicted as"
# Of more labels a matrix shows nothing at a glance.
_MAX_MATRIX_LABELS = 15
_MAX_CONFUSIONS = 15
_MAX_NAMES = 5
_MAX_NAME_WIDTH = 26


def print_evaluation(result: EvaluateResult) -> None:
    """Print an evaluation: folds and confusions on stdout, the rest on stderr."""
    for one in result.folds or ():
        seen = "" if not one.unseen_labels else f"; of trained labels {_of_seen(one)}"
        click.echo(f"fold {one.fold}: {one.clip_accuracy:.1%}, int8 {one.int8_clip_accuracy:.1%}{seen}")
    if result.drawn_folds:
        narrate("the folds were drawn by whole groups: the data have none")
    print_accuracy(result, f"of {result.clips} clips{' of the locked test set' * result.locked} right")
    for level in result.by_level:
        names = ", ".join(quoted(name, width=24) for name in level.labels[:_MAX_NAMES])
        more = f" and {len(level.labels) - _MAX_NAMES} more" if len(level.labels) > _MAX_NAMES else ""
        shares = f"{level.clip_accuracy:.1%} right at level {level.level}, int8 {level.int8_clip_accuracy:.1%}"
        narrate(f"{shares}: {names}{more}")
    _print_unseen(result)
    _print_confusions(result)
    narrate(f"expected calibration error {result.ece:.3f}; int8 {result.int8_ece:.3f}")
    if result.report:
        narrate(f"written to {result.report}" + ("" if result.pictures else _NO_PLOTS))
    else:
        narrate("no report was written: the project cannot be written")


def print_accuracy(result: RetrainResult | EvaluateResult, of_what: str) -> None:
    """Print the accuracy on stderr, or that it was not measured."""
    if result.clip_accuracy is None:
        narrate("too few clips for validation: accuracy not measured")
        return
    narrate(f"{result.clip_accuracy:.1%} {of_what}; int8 {result.int8_clip_accuracy:.1%}")
    if result.head == "sigmoid":
        narrate(f"{result.label_accuracy:.1%} of their labels right; int8 {result.int8_label_accuracy:.1%}")


def print_left_out(result: RetrainResult) -> None:
    """Print what the budget left no time for, and which clips were locked."""
    if result.locked_clips:
        narrate(f"{result.locked_clips} clips of the locked test set had no part in it; `evaluate` measures on them")
    if result.left_out:
        narrate(f"no time for {result.left_out} labelled clips without features; the next retrain goes on with them")
    if result.measured_clips < result.validation_clips:
        narrate(f"no time to measure more than {result.measured_clips} of {result.validation_clips} validation clips")
    if result.without_suggestion:
        narrate(f"no time for {result.without_suggestion} suggestions; `labeltool suggest` makes them")


def _print_unseen(result: EvaluateResult) -> None:
    """Print which clips count as wrong because the model was not trained on their label, and the figures without."""
    if result.unseen_labels:
        most = sorted(result.unseen_labels, key=lambda one: -one.clips)
        names = ", ".join(f"{quoted(one.label, width=24)} {one.clips}" for one in most[:_MAX_NAMES])
        more = f" and {len(most) - _MAX_NAMES} more labels" if len(most) > _MAX_NAMES else ""
        unknown = sum(one.unknown for one in most)
        narrate(
            f"clips of labels that were not trained count as wrong: {names}{more}; {unknown} are below the threshold",
            f"of the {result.clips_of_seen_labels} clips of trained labels {_of_seen(result)}",
        )
    if result.excluded:
        narrate(f"{result.excluded} clips are excluded: no label is known to be present on them")


def _of_seen(result: MeasuredOnAll) -> str:
    shares = (result.clip_accuracy_of_seen_labels, result.int8_clip_accuracy_of_seen_labels)
    as_float, int8 = ("-" if share is None else f"{share:.1%}" for share in shares)
    return f"{as_float} right, int8 {int8}"


def _print_confusions(result: EvaluateResult) -> None:
    """Print the matrix where it fits, else the worst confusions."""
    cell = max(2, len(str(max(map(max, result.confusion)))))
    # Two blanks, the cells, the number of the row, both recalls.
    max_width = _COLUMNS - (2 + len(result.labels) * (cell + 1) - 1 + 3 + 3 + 2 * 7)
    if len(result.labels) > _MAX_MATRIX_LABELS or max_width < len(_PREDICTED_AS):
        _print_worst(result)
    else:
        _print_matrix(result, cell, min(max_width, _MAX_NAME_WIDTH))


def _print_matrix(result: EvaluateResult, cell: int, max_width: int) -> None:
    names = [_fitted(label, max_width) for label in result.labels]
    width = max(len(_PREDICTED_AS), *map(_width, names))
    columns = " ".join(f"{place:>{cell}}" for place in range(len(names)))
    click.echo(f"{_PREDICTED_AS:>{width}}  {columns}       recall   int8")
    for place, (name, counts, one) in enumerate(zip(names, result.confusion, result.by_label, strict=True)):
        recalls = " ".join("     -" if share is None else f"{share:>6.1%}" for share in (one.recall, one.int8_recall))
        click.echo(
            f"{_padded(name, width)}  "
            + " ".join(f"{count or '.':>{cell}}" for count in counts)
            + f"   {place:<3} {recalls}"
        )


def _print_worst(result: EvaluateResult) -> None:
    """Print the confusions of most clips, and what share of the true label's clips each is."""
    clips_of = {one.label: one.clips for one in result.by_label}
    found = sorted(_confusions(result.labels, result.confusion), key=lambda one: (-one[2], clips_of[one[0]]))
    if not found:
        click.echo("no label is predicted as another")
        return
    click.echo(f"clips  of label  {'label':>{_MAX_NAME_WIDTH}} -> {_PREDICTED_AS}")
    for true, predicted, count in found[:_MAX_CONFUSIONS]:
        name, other = (_fitted(label, _MAX_NAME_WIDTH) for label in (true, predicted))
        share = count / max(1, clips_of[true])
        click.echo(f"{count:>5}  {share:>8.1%}  {_padded(name, _MAX_NAME_WIDTH)} -> {other}")
    if len(found) > _MAX_CONFUSIONS:
        narrate(f"{len(found) - _MAX_CONFUSIONS} more confusions in confusion.csv of the report")


def _confusions(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[tuple[str, str, int]]:
    """Return true label, predicted label and number of clips of every confusion."""
    return [
        (true, predicted, count)
        for row, (true, of_label) in enumerate(zip(labels, counts, strict=True))
        for column, (predicted, count) in enumerate(zip(labels, of_label, strict=True))
        if count and row != column
    ]


def _fitted(label: str, width: int) -> str:
    """Quote a label in at most `width` columns, counting escapes and letters of two columns."""
    return next(name for letters in range(width - 2, 0, -1) if _width(name := quoted(label, letters)) <= width)


def _padded(name: str, width: int) -> str:
    return " " * (width - _width(name)) + name


def _width(name: str) -> int:
    from rich.cells import cell_len

    return cell_len(name)
