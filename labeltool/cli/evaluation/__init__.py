"""`labeltool evaluate`: the command; `text` prints its figures."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from labeltool.cli.common import (
    Number,
    Whole,
    current_project,
    emit,
    engine_options,
    narrate,
    project_options,
    quoted,
    run_task,
    with_names,
)
from labeltool.cli.evaluation.text import print_evaluation, print_points, print_review, print_thresholds

if TYPE_CHECKING:
    from labeltool.active_learning.suggester_state import SuggesterState
    from labeltool.project import Project
    from labeltool.tasks.evaluate import EvaluateResult

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
@engine_options
@project_options
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

    Both the float model and the int8 one. A report and, with vl-convert, charts are written to `reports/`.

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
        return _evaluate_detections(project, model, precision, width, limit, save=save, as_json=as_json)
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
            replace_operating_points(store, models.uid(store, result.model), "validation", result.operating_points)
        suggester = suggester_state(project, store)
    if as_json:
        values = {**with_names(result), "suggester": suggester.to_json() if suggester else None}
        unwanted = [] if result.thresholds else ["thresholds", "operating_points"]
        absent = unwanted if cross_validate else ["folds", *unwanted]
        emit({key: value for key, value in values.items() if key not in absent})
        return
    _print_result(result, suggester, precision, saved=save)


def _print_result(
    result: EvaluateResult, suggester: SuggesterState | None, precision: float | None, *, saved: bool
) -> None:
    from labeltool.evaluation.thresholds import SHOWN_THRESHOLDS

    print_evaluation(result)
    if result.thresholds:
        print_thresholds([row for row in result.thresholds if row.threshold in SHOWN_THRESHOLDS])
        print_points(result.operating_points, {row.label for row in result.thresholds}, precision, saved=saved)
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
    print_review(result, width)
    print_points(result.operating_points, {row.label for row in result.thresholds}, precision, saved=save)
    if folder:
        narrate(f"written to {folder}")
