"""Evaluations as text that fits a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import narrate, quoted
from labeltool.errors import in_one_line
from labeltool.util.counted import listed

if TYPE_CHECKING:
    from labeltool.evaluation.detections import ReviewResult
    from labeltool.evaluation.intervals import Share
    from labeltool.evaluation.operating_points import Row
    from labeltool.evaluation.unseen_labels import MeasuredOnAll
    from labeltool.store.detections.operating_points import OperatingPoint
    from labeltool.tasks.evaluate import EvaluateResult
    from labeltool.tasks.retrain_result import RetrainResult

_COLUMNS = 80
_NO_CHARTS = ", without charts: they need vl-convert (`pip install labeltool[report]`)"
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
        narrate("the folds were drawn by whole groups, nearly equal sound together: the data have none")
    print_accuracy(result, f"of {result.clips} clips{' of the locked test set' * result.locked} right")
    for level in result.by_level:
        shares = f"{level.clip_accuracy:.1%} right at level {level.level}, int8 {level.int8_clip_accuracy:.1%}"
        narrate(f"{shares}: {_first_names(level.labels)}")
    _print_unseen(result)
    _print_confusions(result)
    narrate(f"expected calibration error {result.ece:.3f}; int8 {result.int8_ece:.3f}")
    if result.report:
        narrate(f"written to {result.report}" + ("" if result.pictures else _NO_CHARTS))
    else:
        narrate("no report was written: the project cannot be written")


def print_thresholds(rows: Iterable[Row]) -> None:
    """Print precision and recall by label and threshold, with their intervals."""
    click.echo(f"{'label':>{_MAX_NAME_WIDTH}}  threshold  {'precision':^15}  {'recall':^15}  clips")
    for row in rows:
        click.echo(
            f"{_padded(_fitted(row.label, _MAX_NAME_WIDTH), _MAX_NAME_WIDTH)}  {row.threshold:>9g}  "
            f"{_interval(row.precision)}  {_interval(row.recall)}  {row.known_from:>5}"
        )


def _first_names(labels: Sequence[str]) -> str:
    return listed([quoted(name, width=24) for name in labels], _MAX_NAMES)


def _interval(share: Share | None) -> str:
    return " " * 7 + "-" + " " * 7 if share is None else f"{share.value:4.0%} ({share.low:4.0%}-{share.high:4.0%})"


def print_review(result: ReviewResult, width: float | None) -> None:
    """Print precision by label and threshold from a review of detections, and what to review next."""
    kind = "as the device does" if result.as_device else "by overlapping windows"
    narrate(
        f"detections of {result.model} in {result.recordings} recordings, {result.hours:.2f} hours, {kind}; "
        "precision is that of these recordings, recall is not known from a review"
    )
    for count, why in (
        (result.trained_on, "are of groups that the model was trained on or that its test fold has"),
        (result.locked, "are of the locked test set, which chooses no threshold"),
        (result.otherwise, "were searched the other way (--as-device or not)"),
    ):
        if count:
            narrate(f"{count} recordings are excluded: they {why}")
    more = "" if width is None else "  still to review"
    click.echo(f"{'label':>{_MAX_NAME_WIDTH}}  threshold  events  reviewed  {'precision':^15}  right per hour{more}")
    for row in result.thresholds:
        density = "-" if (rate := row.per_hour) is None else f"{rate.value:.1f} ({rate.low:.1f}-{rate.high:.1f})"
        needed = "" if width is None else f"  {'over 2,000' if row.still_needed is None else row.still_needed}"
        click.echo(
            f"{_padded(_fitted(row.label, _MAX_NAME_WIDTH), _MAX_NAME_WIDTH)}  {row.threshold:>9g}  {row.events:>6}  "
            f"{row.reviewed:>8}  {_interval(row.precision)}  {density}{needed}"
        )
    if result.next:
        narrate("review next, in the app (view Review) or by `labeltool mark CLIP LABEL [--absent]`:")
    for one in result.next:
        narrate(f"  {one.clip}  {in_one_line(one.label)}  {one.score:.2f}  {one.file} at {one.start_s:.2f} s")


def print_points(points: Sequence[OperatingPoint], labels: set[str], precision: float | None, *, saved: bool) -> None:
    """Print which threshold of each label reaches the wanted precision."""
    if precision is None:
        return
    for one in points:
        recall = "" if one.recall is None else f", recall {one.recall:.0%}"
        narrate(
            f"{quoted(one.label)}: from {one.threshold:g} on precision {one.precision:.0%} "
            f"({one.precision_low:.0%} to {one.precision_high:.0%}){recall}, from {one.clips} clips"
        )
    missed = sorted(labels - {one.label for one in points})
    if missed:
        narrate(f"no threshold with at least eight clips reaches {precision:.0%}: {_first_names(missed)}")
    if not saved:
        narrate("not saved: --save does")
    else:
        narrate(
            "saved: `detect` and `export --stm32` use them" if points else "none is saved: those of the model count"
        )


def print_accuracy(result: RetrainResult | EvaluateResult, of_what: str) -> None:
    """Print the accuracy on stderr, or that it was not measured."""
    if result.clip_accuracy is None:
        narrate("too few clips for validation: accuracy not measured")
        return
    narrate(f"{result.clip_accuracy:.1%} {of_what}; int8 {result.int8_clip_accuracy:.1%}")
    if result.head == "sigmoid":
        narrate(f"{result.label_accuracy:.1%} of their labels right; int8 {result.int8_label_accuracy:.1%}")


def _print_unseen(result: EvaluateResult) -> None:
    """Print which clips count as wrong because the model was not trained on their label, and the figures without."""
    if result.unseen_labels:
        most = sorted(result.unseen_labels, key=lambda one: -one.clips)
        names = listed([f"{quoted(one.label, width=24)} {one.clips}" for one in most], _MAX_NAMES)
        names += " labels" * (len(most) > _MAX_NAMES)
        unknown = sum(one.unknown for one in most)
        narrate(
            f"clips of labels that were not trained count as wrong: {names}; {unknown} are below the threshold",
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
