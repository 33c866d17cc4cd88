"""An evaluation as files: JSON for programs, CSV tables, and charts where vl-convert is installed."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from labeltool.errors import LabeltoolError
from labeltool.evaluation import charts
from labeltool.evaluation.charts import of_model
from labeltool.evaluation.detection_review import PrecisionRow
from labeltool.evaluation.detections import ReviewResult
from labeltool.evaluation.intervals import Share
from labeltool.evaluation.thresholds import ThresholdRow
from labeltool.evaluation.unseen_labels import MeasuredOnAll
from labeltool.networks.model_card import LabelMetrics
from labeltool.project import Project
from labeltool.store import Store, models
from labeltool.util.files.atomic_write import new_folder
from labeltool.util.files.bounded_read import parse_json, read_text

REPORT = "report.json"
_MAX_READ = 100  # stored evaluations of a learning curve
_MAX_IN_MATRIX = 100  # labels; of more, a cell is a dot, and drawing takes minutes
_LEFT_TO_CALLER = ("report", "pictures")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation(MeasuredOnAll):
    """The metrics of a model as they were written: on a fold, on the locked test set, or on all clips unseen then."""

    model: int
    int8_sha256: str = ""
    fold: int | None = None
    locked: bool = False


def stored_evaluation(
    project: Project, model_id: int, int8_sha256: str, fold: int | None = None
) -> StoredEvaluation | None:
    """Return the last evaluation of a model, on a fold or without one; None where none was written.

    Parameters
    ----------
    int8_sha256
        Of the model's card: after a backup was restored, another model had the same id.

    Raises
    ------
    LabeltoolError
        When its file is damaged; it names the file.
    """
    import msgspec

    path = project.reports / evaluation_name(model_id, fold) / REPORT
    if not path.exists():
        return None
    try:
        found = msgspec.convert(parse_json(read_text(path)), StoredEvaluation)
    except ValueError as error:
        raise LabeltoolError(f"is damaged: {error}", file=path, remedy="`labeltool evaluate` writes it anew") from error
    return found if found.int8_sha256 == int8_sha256 else None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A model of the project: its labelled clips, its accuracy on validation clips, and that of a stored evaluation.

    `tested_on` says on what that was; "" without one.
    """

    model: int
    labels_seen: int
    validation: float | None
    validation_int8: float | None
    tested: float | None
    tested_on: str

    @property
    def row(self) -> tuple[int, int, tuple[float | None, ...]]:
        """The point, as `charts.of_model.learning_curve` takes it."""
        return self.model, self.labels_seen, (self.validation, self.validation_int8, self.tested)


def learning_curve(project: Project, store: Store) -> tuple[CurvePoint, ...]:
    """Return the models of the project, oldest first, with their stored evaluations."""
    rows = store.connection.execute(
        "SELECT id, labels_seen, clip_accuracy, int8_clip_accuracy, "
        "json_extract(card, '$.int8_sha256'), json_extract(card, '$.test_fold') "
        "FROM models WHERE architecture <> ? ORDER BY id",
        (models.PRETRAINED,),
    ).fetchall()
    points = []
    for number, (model_id, labels_seen, validation, int8, sha256, fold) in enumerate(rows):
        stored = _stored(project, model_id, sha256, fold) if len(rows) - number <= _MAX_READ else None
        where = "" if stored is None else _where(stored)
        accuracy = None if stored is None else stored.clip_accuracy
        points.append(CurvePoint(model_id, labels_seen, validation, int8, accuracy, where))
    return tuple(points)


def _stored(project: Project, model_id: int, sha256: str | None, fold: int | None) -> StoredEvaluation | None:
    """Return a model's stored evaluation: on its test fold, which is kept for that, else the other one."""
    for one in dict.fromkeys((fold, None)):
        with suppress(OSError, LabeltoolError):
            if found := stored_evaluation(project, model_id, sha256 or "", one):
                return found
    return None


def _where(stored: StoredEvaluation) -> str:
    no_test_set = "no test set: validation clips and later ones"
    place = (
        f"fold {stored.fold}" if stored.fold is not None else "the locked test set" if stored.locked else no_test_set
    )
    return f"{stored.clips} clips, {place}"


def evaluation_name(model_id: int, fold: int | None) -> str:
    """Return the name of the report of a model, on a fold or without one."""
    return f"model-{model_id}" + ("" if fold is None else f"-fold-{fold}")


def write(
    project: Project,
    name: str,
    result: MeasuredOnAll,
    *,
    losses: Sequence[tuple[int, float]],
    curve: Sequence[CurvePoint],
    thresholds: Sequence[ThresholdRow] = (),
) -> tuple[Path, tuple[str, ...]]:
    """Write an evaluation into the project's `reports/<name>/`, and replace one of that name.

    Parameters
    ----------
    thresholds
        Precision and recall by label and threshold, where they are wanted.

    Returns
    -------
    folder
    pictures
        The file names of the charts; none without vl-convert.
    """
    import msgspec

    # Not what only the caller knows yet, and not what does not apply.
    values = {key: value for key, value in msgspec.to_builtins(result).items() if key not in _LEFT_TO_CALLER}
    for name_ in ("folds", "thresholds", "operating_points"):
        if not values.get(name_, True):
            del values[name_]
    text = json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    with new_folder(project.reports) as new:
        _write_files(new.path, text, result)
        for chart, spec in _charts(result, losses, curve).items() if charts.available() else ():
            with suppress(LabeltoolError):  # what was measured is kept, whether or not it can be drawn
                charts.write_picture(spec, new.path / f"{chart}.png")
        if thresholds:
            write_thresholds(new.path, thresholds)
        pictures = sorted(path.name for path in new.path.glob("*.png"))
        return new.publish(name), tuple(pictures)


def write_review(project: Project, result: ReviewResult) -> Path:
    """Write what is known of a model's detections into the project's `reports/detections-<model id>/`."""
    import msgspec

    with new_folder(project.reports) as new:
        text = json.dumps(msgspec.to_builtins(result), ensure_ascii=False, indent=2) + "\n"
        (new.path / REPORT).write_text(text, encoding="utf-8", newline="\n", errors="backslashreplace")
        write_thresholds(new.path, result.thresholds)
        return new.publish(f"detections-{result.model_id}")


def write_thresholds(folder: Path, rows: Sequence[ThresholdRow] | Sequence[PrecisionRow]) -> None:
    """Write a table of thresholds as CSV, and plot it; a share is three columns, with the ends of its interval."""
    names = [field.name for field in fields(rows[0])]
    shares = {name for name in names if any(isinstance(getattr(row, name), Share) for row in rows)}
    head = [
        column for name in names for column in ((name, f"{name}_low", f"{name}_high") if name in shares else (name,))
    ]
    table = []
    for row in rows:
        values: list[Any] = []
        for name in names:
            value = getattr(row, name)
            values += [value] if name not in shares else [None] * 3 if value is None else astuple(value)
        table.append(values)
    _write_rows(folder / "thresholds.csv", head, table)
    if charts.available():
        charts.write_picture(of_model.thresholds(rows), folder / "thresholds.png")


def _write_files(folder: Path, text: str, result: MeasuredOnAll) -> None:
    (folder / REPORT).write_text(text, encoding="utf-8", newline="\n", errors="backslashreplace")
    _write_confusion(folder / "confusion.csv", result.labels, result.confusion)
    _write_confusion(folder / "confusion_int8.csv", result.labels, result.int8_confusion)
    columns = [field.name for field in fields(LabelMetrics)]
    _write_rows(folder / "labels.csv", columns, [astuple(one) for one in result.by_label])


def _charts(
    result: MeasuredOnAll, losses: Sequence[tuple[int, float]], curve: Sequence[CurvePoint]
) -> dict[str, charts.Spec]:
    """Return the charts of an evaluation by the names of their files."""
    unseen, names = {one.label for one in result.unseen_labels}, charts.short_names(result.labels)
    recalls = [
        (
            f"{names[one.label]} ({one.clips}){', not trained' * (one.label in unseen)}",
            [None if share is None else Share(share, share, share) for share in (one.recall, one.int8_recall)],
        )
        for one in sorted(result.by_label, key=lambda one: 2 if one.recall is None else one.recall)[: charts.MAX_LABELS]
    ]
    bins = {
        f"float, ECE {result.ece:.3f}": result.reliability,
        f"int8, ECE {result.int8_ece:.3f}": result.int8_reliability,
    }
    matrices = {"float": result.confusion, "int8": result.int8_confusion}
    is_large = len(result.labels) > _MAX_IN_MATRIX
    return {
        **({} if is_large else {"confusion": of_model.confusion(matrices, result.labels, unseen)}),
        "recall": of_model.shares_by_label(recalls, ("float", "int8"), "recall"),
        "reliability": of_model.calibration(bins),
        "learning": {"vconcat": [of_model.loss_curve(losses), of_model.learning_curve(one.row for one in curve)]},
    }


def _write_confusion(path: Path, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    _write_rows(path, ("true / predicted", *labels), [(label, *row) for label, row in zip(labels, counts, strict=True)])


def _write_rows(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
