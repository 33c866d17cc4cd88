"""Import, training, evaluation and export by Python, each by the function that the command of its name calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from labeltool.api.base import OfProject
from labeltool.errors import LabeltoolError
from labeltool.type_aliases import Progress

if TYPE_CHECKING:
    import pandas as pd

    from labeltool.exporters.registry import ExportResult
    from labeltool.store.importing import ImportResult
    from labeltool.tasks.evaluate import EvaluateResult
    from labeltool.tasks.registry import Task
    from labeltool.tasks.retrain_result import RetrainResult

R = TypeVar("R")


def _no_progress(stage: str, done: int, total: int, text: str = "", /) -> None:
    """Take a report, and show nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The metrics of a model on clips that it was not trained on; shares are 0 to 1.

    Attributes
    ----------
    labels : DataFrame
        A row for each label, its index: `clips` (int64) that have it, `recall`, `precision`, `int8_recall`,
        `int8_precision` (float64, NaN where undefined).
    confusion, int8_confusion : DataFrame
        Numbers of clips (int64): a row for each true label, a column for each predicted one.
    result
        All that was measured: `clip_accuracy`, `int8_clip_accuracy`, `ece`, `skipped`, the folder `report`, ...

    Examples
    --------
    >>> import labeltool
    >>> p = labeltool.open("trained")
    >>> found = p.evaluate()
    >>> list(found.labels.columns)
    ['clips', 'recall', 'precision', 'int8_recall', 'int8_precision']
    >>> int(found.confusion.to_numpy().sum()) == found.result.clips
    True
    """

    labels: pd.DataFrame
    confusion: pd.DataFrame
    int8_confusion: pd.DataFrame
    result: EvaluateResult


class Work(OfProject):
    """The methods of a project that take long."""

    def import_(
        self,
        format: str,
        *sources: str | Path,
        group_by: str | None = None,
        progress: Progress = _no_progress,
        **options: Any,
    ) -> ImportResult:
        """Import recordings and labels; importing the same thing again changes nothing.

        Parameters
        ----------
        format
            A name that `labeltool formats` lists as "in", of plug-ins too.
        sources
            Files or folders, as the format takes them.
        group_by
            What stays together in splits: "folder", "column:NAME", a pattern of names such as "{site}_{date}_*",
            "name", "none"; None: the source's groups, else guessed from names.
        progress
            Called with the stage, how much of it is done, its total (0: not known), and a text.
        options
            Those of `labeltool import FORMAT`, with underscores.

        Returns
        -------
        ImportResult
            Numbers of `recordings`, `clips`, `verdicts` (labels) that are new, and `already_there`; `skipped` has what
            was not taken, with file, line and reason.

        Raises
        ------
        LabeltoolError
            When there is no such format or option, or a source cannot be read at all.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.init("night")
        >>> p.import_("audio", "sounds", clip_seconds=1.0).clips
        4
        """
        from labeltool.importers.registry import FORMATS
        from labeltool.store.importing import ImportResult, import_records

        if format not in FORMATS:
            raise LabeltoolError(f"no format {format!r}", remedy="there are " + ", ".join(FORMATS))
        reader = FORMATS[format]
        if reader.takes == "directory" and len(sources) != 1:
            raise LabeltoolError(f"{format} takes one directory")
        imported = ImportResult()
        with self._open_store(to_write=True) as store:
            for batch in reader.batches([Path(source) for source in sources], progress, group_by, **options):
                imported.add(
                    import_records(store, batch.records, kind=batch.kind, source=batch.source, report=progress)
                )
        return imported

    def retrain(
        self, *, arch: str | None = None, progress: Progress = _no_progress, in_process: bool = False, **options: Any
    ) -> RetrainResult:
        """Train a model on the labels, then suggest labels with it.

        Parameters
        ----------
        arch
            The architecture; None: as in labeltool.toml.
        progress
            As in `import_`.
        in_process
            Train in this process, which loads TensorFlow, and not in one of its own.
        options
            `from_scratch`, `test_fold`, `seed`, `budget_s` (seconds), `teacher`, `patch_s` (seconds), `pretrained`,
            `finetune`, as of `labeltool retrain`.

        Returns
        -------
        RetrainResult
            `model` (its id), `labels_seen`, `clip_accuracy`, `int8_clip_accuracy` (0 to 1), `seconds`, ...

        Raises
        ------
        LabeltoolError
            When there is no such option, there are too few labels, or the training failed.

        Examples
        --------
        >>> import labeltool
        >>> p = labeltool.open("trained")
        >>> stages = set()
        >>> trained = p.retrain(budget_s=2, progress=lambda stage, *_: stages.add(stage))
        >>> trained.labels_seen > 0, "training" in stages
        (True, True)
        """
        from labeltool.tasks.registry import RETRAIN

        arch = arch or self._project.settings.learning.architecture
        return self._run(RETRAIN, progress, in_process, arch=arch, **options)

    def evaluate(
        self,
        *,
        model: int | None = None,
        fold: int | None = None,
        cross_validate: bool = False,
        seed: int = 0,
        locked: bool | None = None,
        progress: Progress = _no_progress,
        in_process: bool = False,
    ) -> Evaluation:
        """Measure a model on labelled clips that it was not trained on, and write a report.

        Parameters
        ----------
        model
            Its id; None: the newest.
        fold
            Measure on this fold of the data set, which the model must not have been trained on.
        cross_validate
            Train a model for each fold and measure on it.
        seed
            Of those trainings, and of folds where the data set has none.
        locked
            Measure on the locked test set, or not on it; None: on it where there is one that the model has not seen.
        progress, in_process
            As in `retrain`.

        Returns
        -------
        Evaluation
            Tables of the labels and of their confusion.

        Raises
        ------
        LabeltoolError
            When there is no model, it was trained on the fold, or there are no clips to measure on.

        Examples
        --------
        >>> import labeltool
        >>> found = labeltool.open("trained").evaluate()
        >>> found.confusion.index.equals(found.confusion.columns)
        True
        >>> 0 <= found.result.clip_accuracy <= 1
        True
        """
        from labeltool.tasks.registry import EVALUATE

        options = {"model_id": model, "fold": fold, "cross_validate": cross_validate, "seed": seed}
        return self._tables(self._run(EVALUATE, progress, in_process, locked=locked, **options))

    @staticmethod
    def _tables(result: EvaluateResult) -> Evaluation:
        import pandas as pd

        names = pd.Index(result.labels, name="label", dtype=object)
        by_label = {one.label: one for one in result.by_label}
        columns = {"clips": "int64"} | dict.fromkeys(
            ("recall", "precision", "int8_recall", "int8_precision"), "float64"
        )
        rows = [[getattr(by_label[name], column) for column in columns] for name in by_label]
        table = pd.DataFrame(rows, columns=list(columns), index=pd.Index(by_label, name="label", dtype=object))
        confusion, int8_confusion = (
            pd.DataFrame(list(matrix), index=names, columns=names.rename("predicted"), dtype="int64")
            for matrix in (result.confusion, result.int8_confusion)
        )
        return Evaluation(table.astype(columns), confusion, int8_confusion, result)

    def export(
        self,
        *products: str,
        output: str | Path | None = None,
        model: int | None = None,
        arch: str | None = None,
        force: bool = False,
        as_of: str | datetime | None = None,
        st_applications: tuple[str, ...] = (),
        progress: Progress = _no_progress,
        in_process: bool = False,
        **split: Any,
    ) -> ExportResult:
        """Write products, each a folder with a manifest of SHA-256 sums: either all of them or none.

        Parameters
        ----------
        products
            Names that `labeltool formats` lists as "out", of plug-ins too.
        output
            The folder that will contain theirs; None: `exports` of the project.
        model, arch
            The model's id, or the newest of an architecture, where one is needed; None: as `labeltool export`.
        force
            Also a model that loses more in int8 than labeltool.toml allows, and official folds that part a group.
        as_of
            As in `annotations`: products made of labels are those of then, suggestions aside.
        st_applications
            ST's applications that an STM32 package is for; none: all that can run the model.
        progress, in_process
            As in `retrain`.
        split
            `shares` (three whole numbers, per cent), `folds`, `seed`, `block_hours`, `lock`, as of `labeltool export`.

        Raises
        ------
        LabeltoolError
            Naming the product that could not be made; then nothing was written.

        Examples
        --------
        >>> import labeltool
        >>> from pathlib import Path
        >>> p = labeltool.open("birds")
        >>> written = p.export("audacity", output="products").written
        >>> [Path(folder).name for folder in written]
        ['audacity']
        """
        from labeltool.tasks.registry import EXPORT

        if not products:
            raise LabeltoolError("name at least one product", remedy="`labeltool formats` lists them")
        folder = Path(output).resolve() if output else self._project.exports
        until = as_of.isoformat() if isinstance(as_of, datetime) else as_of
        options = {"model_id": model, "arch": arch, "force": force, "as_of": until, **split}
        options |= {"products": list(products), "output": str(folder), "st_applications": list(st_applications)}
        return self._run(EXPORT, progress, in_process, **options)

    def _run(self, task: Task[R], progress: Progress, in_process: bool, **options: Any) -> R:
        if in_process:
            return task.run(self._project, report=progress, **options)
        from labeltool.tasks.executor import run

        return run(self._project, task, progress, **options)
