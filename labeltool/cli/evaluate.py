"""Evaluation: the command, and its figures as text that fits a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import (
    Number,
    Whole,
    current_project,
    emit,
    json_option,
    narrate,
    project_option,
    quoted,
    run_task,
    with_names,
)
from labeltool.errors import in_one_line

if TYPE_CHECKING:
    from labeltool.evaluation.detections import ReviewResult
    from labeltool.evaluation.intervals import Share
    from labeltool.evaluation.operating_points import Row
    from labeltool.evaluation.unseen_labels import MeasuredOnAll
    from labeltool.project import Project
    from labeltool.store.detections.operating_points import OperatingPoint
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
# Of the thresholds of labelled clips the terminal shows these, the report all.
_SHOWN_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
_SHARE = Number(0, 1, min_open=True)


@click.command()
@click.option(
    "--model", metavar="ID", help="Model; with --detections also a pretrained model's name.  [default: the newest]"
)
@click.option("--fold", type=Whole(), metavar="K", help="Test on fold K, which the model must not have seen.")
@click.option(
    "--cross-validate",
    is_flag=True,
    help="For each fold, or each of five that are drawn, train from scratch without it and test on it.",
)
@click.option(
    "--seed", type=Whole(0, 2**32 - 1), metavar="N", default=0, show_default=True, help="With --cross-validate."
)
@click.option(
    "--locked/--no-locked",
    default=None,
    help="On the locked test set, or not on it.  [default: on it where there is one that the model has not seen]",
)
@click.option("--thresholds", is_flag=True, help="Also precision and recall by label and threshold, with intervals.")
@click.option(
    "--detections",
    is_flag=True,
    help="Instead, precision by threshold of what `labeltool detect` detected, from its review.",
)
@click.option("--precision", type=_SHARE, metavar="P", help="Choose the lowest threshold of each label that reaches P.")
@click.option("--save", is_flag=True, help="Save what --precision chose: `detect` and `export --stm32` use it.")
@click.option(
    "--width", type=_SHARE, metavar="W", help="With --detections: how many reviews until intervals are W wide."
)
@click.option(
    "--limit",
    type=Whole(),
    metavar="N",
    default=10,
    show_default=True,
    help="Detections to review that --detections lists.",
)
@project_option
@json_option
def evaluate(
    model: str | None,
    fold: int | None,
    cross_validate: bool,
    seed: int,
    locked: bool | None,
    thresholds: bool,
    detections: bool,
    precision: float | None,
    save: bool,
    width: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """Measure a model on labelled clips it was not trained on.

    Both the float model and the int8 one. A report and, with matplotlib, plots are written to `reports/`.

    With --detections the precision of detections in long recordings, from a review of a part: it lists those whose
    review narrows the intervals most, to be reviewed in the app (view Review) or by `labeltool mark`.

    \b
    labeltool evaluate
    labeltool evaluate --cross-validate
    labeltool evaluate --thresholds --precision 0.9 --save
    labeltool evaluate --detections --precision 0.9
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    _check_options(cross_validate, fold, model, locked, detections, precision, save, width)
    project = current_project()
    if detections:
        _evaluate_detections(project, model, precision, width, limit, save=save, as_json=as_json)
        return
    from labeltool.active_learning.suggester_state import suggester_state
    from labeltool.store import models
    from labeltool.store.detections.operating_points import replace_operating_points
    from labeltool.tasks.registry import EVALUATE

    if save:  # before there is work for nothing
        project.open_store(to_write=True).close()
    result = run_task(
        project,
        EVALUATE,
        model_id=_model_id(model),
        fold=fold,
        cross_validate=cross_validate,
        seed=seed,
        locked=locked,
        thresholds=thresholds or precision is not None,
        precision=precision,
    )
    with project.open_store() as store:
        if save and result.model is not None:
            uid = models.uid(store, result.model)
            replace_operating_points(store, uid, "validation", result.operating_points)
        suggester = suggester_state(project, store)
    if as_json:
        values = {**with_names(result), "suggester": suggester.to_json() if suggester else None}
        unwanted = [] if result.thresholds else ["thresholds", "operating_points"]
        absent = unwanted if cross_validate else ["folds", *unwanted]
        emit({key: value for key, value in values.items() if key not in absent})
        return
    print_evaluation(result)
    if result.thresholds:
        _print_thresholds([row for row in result.thresholds if row.threshold in _SHOWN_THRESHOLDS])
        _print_points(result.operating_points, {row.label for row in result.thresholds}, precision, saved=save)
    if suggester is not None:
        narrate(f"in the app labels are suggested by {suggester}")


def _check_options(
    cross_validate: bool,
    fold: int | None,
    model: str | None,
    locked: bool | None,
    detections: bool,
    precision: float | None,
    save: bool,
    width: float | None,
) -> None:
    if cross_validate and (fold is not None or model is not None):
        raise click.UsageError("--cross-validate trains its own models and tests on every fold")
    if detections and (cross_validate or fold is not None or locked is not None):
        raise click.UsageError("--detections is about recordings, not about folds")
    if locked and (cross_validate or fold is not None):
        raise click.UsageError("--locked is in no fold")
    if precision is not None and (cross_validate or fold is not None or locked):
        raise click.UsageError("test data choose no threshold: leave out --fold, --cross-validate and --locked")
    if save and precision is None:
        raise click.UsageError("--save needs --precision, which chooses what is saved")
    if width is not None and not detections:
        raise click.UsageError("--width is about --detections")


def _model_id(model: str | None) -> int | None:
    from labeltool.store.clips import id_of

    if model is None:
        return None
    if (model_id := id_of(model)) is None:
        raise click.UsageError(f"--model {quoted(model)} is no id of a model")
    return model_id


def _evaluate_detections(
    project: Project,
    model: str | None,
    precision: float | None,
    width: float | None,
    limit: int,
    *,
    save: bool,
    as_json: bool,
) -> None:
    """Print precision by threshold of what was detected, and what to review next."""
    from labeltool.evaluation import report
    from labeltool.evaluation.detections import review_detections
    from labeltool.store.detections.operating_points import replace_operating_points

    with project.open_store(to_write=save) as store:
        result = review_detections(project, store, model=model, precision=precision, width=width, limit=limit)
        if save:
            replace_operating_points(store, result.model_uid, result.source, result.operating_points)
    folder = ""
    with suppress(OSError):  # a project that cannot be written
        folder = str(report.write_review(project, result)) if result.thresholds else ""
    if as_json:
        emit({**with_names(result), "report": folder})
        return
    _print_review(result, width)
    _print_points(result.operating_points, {row.label for row in result.thresholds}, precision, saved=save)
    if folder:
        narrate(f"written to {folder}")


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
        narrate(f"written to {result.report}" + ("" if result.pictures else _NO_PLOTS))
    else:
        narrate("no report was written: the project cannot be written")


def _print_thresholds(rows: Iterable[Row]) -> None:
    """Print precision and recall by label and threshold, with their intervals."""
    click.echo(f"{'label':>{_MAX_NAME_WIDTH}}  threshold  {'precision':^15}  {'recall':^15}  clips")
    for row in rows:
        click.echo(
            f"{_padded(_fitted(row.label, _MAX_NAME_WIDTH), _MAX_NAME_WIDTH)}  {row.threshold:>9g}  "
            f"{_interval(row.precision)}  {_interval(row.recall)}  {row.known_from:>5}"
        )


def _first_names(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MAX_NAMES} more" if len(labels) > _MAX_NAMES else ""
    return ", ".join(quoted(name, width=24) for name in labels[:_MAX_NAMES]) + more


def _interval(share: Share | None) -> str:
    return " " * 7 + "-" + " " * 7 if share is None else f"{share.value:4.0%} ({share.low:4.0%}-{share.high:4.0%})"


def _print_review(result: ReviewResult, width: float | None) -> None:
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


def _print_points(points: Sequence[OperatingPoint], labels: set[str], precision: float | None, *, saved: bool) -> None:
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
