"""What a product is made from: the project, its open store, and the model where one is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from labeltool.annotation.annotation_table import annotation_table, until_of
from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.device_targets import device_target
from labeltool.networks.model_folder import ModelFiles
from labeltool.project import Project
from labeltool.records import LabelledClip, StoredClip, Value
from labeltool.store import Store, clips, groups, models
from labeltool.store.detections.operating_points import OperatingPoint, points_in_use
from labeltool.tasks import split_project
from labeltool.tasks.split_project import AS_SET, DataSplit, SplitOptions
from labeltool.training.data_split import checked_shares
from labeltool.type_aliases import Progress
from labeltool.util.counted import listed

if TYPE_CHECKING:
    import pandas as pd

# Accuracies are ratios of clips: 0.90 - 0.88 is slightly more than 0.02 in binary.
_ROUNDING = 1e-9
_MAX_NAMES = 5


class Source:
    """A project to export from; each of its parts is read once, when it is first used.

    Attributes
    ----------
    failed
        Errors of single sound files, which a product adds to; it is made of the others.
    lost
        By product, the number of annotations that it could not express, wholly or in part.

    Parameters
    ----------
    model_id
        The model to export; None is the newest of an architecture.
    st_applications
        Names of ST's applications that the STM32 package is for; none: all that can run the model.
    arch
        The architecture; None is that of the settings, or where no model has that, of the newest model.
    as_of
        The event or time of the journal that the labels are of, as `annotation_table` takes it; None: now.
    """

    def __init__(
        self,
        project: Project,
        store: Store,
        model_id: int | None,
        report: Progress,
        st_applications: Sequence[str] = (),
        arch: str | None = None,
        as_of: str | None = None,
        split: SplitOptions = AS_SET,
    ) -> None:
        self.project = project
        self.store = store
        self.report = report
        self.st_applications = tuple(st_applications)
        self.failed: list[LabeltoolError] = []
        self.lost: dict[str, int] = {}
        self.notes: list[str] = []
        self.as_of = as_of
        self._until = until_of(store, as_of)
        self._requested_id = model_id
        self._arch = arch
        self._split = split

    @cached_property
    def model_id(self) -> int:
        """The model's id; raises a `LabeltoolError` when there is none."""
        if self._row is None:
            if self._arch is not None:
                raise LabeltoolError(
                    f"no model is of the architecture {self._arch!r}", remedy="`labeltool retrain --arch`"
                )
            raise LabeltoolError("the project has no model yet", remedy="`labeltool retrain` trains one")
        return self._row.id

    @cached_property
    def _row(self) -> models.ModelRow | None:
        if self._requested_id is not None:
            return models.model(self.store, self._requested_id)
        if self._arch is not None:
            return models.latest(self.store, self._arch, self._until)
        chosen = self.project.settings.learning.architecture
        return models.latest(self.store, chosen, self._until) or models.latest(self.store, until=self._until)

    @cached_property
    def model(self) -> ModelFiles:
        """The model's folder; the thresholds of its rule for streams are its operating points, where it has some."""
        files = model_folder.read(self.project.models / str(self.model_id), groups.groups_now(self.store))
        points = self.operating_points
        if not points:
            return files
        thresholds = tuple(
            points[name].threshold if name in points else threshold
            for name, threshold in zip(files.labels, files.card.stream_thresholds, strict=True)
        )
        rule = replace(files.card.stream_rule, thresholds=thresholds)
        return replace(files, card=replace(files.card, stream_rule=rule))

    @cached_property
    def operating_points(self) -> dict[str, OperatingPoint]:
        """The saved thresholds of the model, as a device uses them, by its output; none of a state of the past."""
        if self.as_of is not None:
            return {}
        renamed = clips.current_names(self.store)
        saved = points_in_use(self.store, models.uid(self.store, self.model_id), as_device=True)
        card = model_folder.read(self.project.models / str(self.model_id)).card
        return {name: saved[now] for name in card.labels if (now := renamed.get(name, name)) in saved}

    @cached_property
    def labelled_clips(self) -> list[LabelledClip]:
        """The clips with at least one present label."""
        return [labelled for labelled in clips.labelled(self.store) if labelled.present]

    @cached_property
    def annotations(self) -> pd.DataFrame:
        """The table of annotations, see `annotation_table.annotation_table`."""
        return annotation_table(self.store, self.as_of)

    @cached_property
    def split(self) -> DataSplit:
        """The parts of the data set, or its folds, for the clips with at least one present label.

        The test set is the locked one where there is one, else the model's test fold where it has one, else an official
        fold, else groups drawn at random.
        """
        clips, options = self.split_clips, self._split
        units = split_project.read_units(
            self.project,
            self.store,
            report=self.report,
            block_hours=options.block_hours,
            groups_then={one.clip.recording_id: one.clip.group for one in clips},
        )
        shares = options.shares or self.project.settings.export.split_shares
        found = split_project.split(
            *(clips, units, options),
            shares=checked_shares(shares),
            test_fold=self.test_fold,
            locked=self._locked_groups(),
        )
        self.notes += found.notes()
        return found

    def _locked_groups(self) -> set[str]:
        """Return the groups of the locked test set, by the names that they have now and had then."""
        locked = groups.recordings_locked_as_of(self.store, self._until)
        return {*locked.values(), *(one.clip.group for one in self.split_clips if one.clip.recording_id in locked)}

    @cached_property
    def split_clips(self) -> list[LabelledClip]:
        """The clips with a present label in the table of annotations, as far as a split needs them."""
        table = self.annotations
        columns = ["clip_id", "recording_id", "path", "recording_sha256", "start_s", "end_s", "fold", "group"]
        is_present = (table["value"] == Value.PRESENT) & table["label"].notna()
        present = table.loc[is_present, [*columns, "label"]].sort_values("clip_id")
        of_clip = present.drop_duplicates("clip_id")[columns].astype(object)
        of_clips = groupby(zip(present["clip_id"], present["label"], strict=True), key=itemgetter(0))
        labels = {clip_id: tuple(sorted(label for _, label in rows)) for clip_id, rows in of_clips}
        # Clips with the same labels share their verdicts: half a million of them are 200 MB otherwise.
        verdicts = {names: dict.fromkeys(names, Value.PRESENT) for names in set(labels.values())}
        return [
            LabelledClip(StoredClip(*row), verdicts[labels[row[0]]])
            for row in of_clip.where(of_clip.notna(), None).itertuples(index=False, name=None)
        ]

    @cached_property
    def state_of(self) -> str:
        """The time of the last event, or of the model by which the data are split: `as_of` gives the same again."""
        newest = "SELECT COALESCE(MAX(created_at), '') FROM journal j WHERE "
        (last,) = self.store.connection.execute(newest + self._until.counts("j"), {"at": self._until.at}).fetchone()
        return max(str(last), "" if self._row is None else self._row.created_at)

    @property
    def test_fold(self) -> int | None:
        """The fold that the model was not trained on; None without a model or without a test fold."""
        return None if self._row is None else self._row.test_fold

    def better_model(self) -> str:
        """Return in words which model beside the one to export did better; "" where none did, or it does not fit."""
        beside, target = self.model.card.beside, self.project.settings.learning.target
        if beside is None or not beside.is_better:
            return ""
        try:
            other = model_folder.read(self.project.models / str(beside.model)).frontend
        except LabeltoolError:
            return ""  # its folder is gone or damaged
        if target is not None and isinstance(other, LogMelFrontend) and device_target(target).problem(other):
            return ""
        return (
            f"model {beside.model} ({beside.architecture}) did better on the validation clips: log loss "
            f"{beside.log_loss:.3f}, this one {beside.own_log_loss:.3f}; `--model {beside.model}` exports it"
        )

    def note_other_labels(self) -> None:
        """Note the labels of the project that the model lacks, and those of the model that the project lacks."""
        clips_of, renamed = clips.counts(self.store).labels, clips.current_names(self.store)
        card = self.model.card
        own = [label for label in card.labels if label != card.background]
        missing = [
            f"{label!r} ({count} clip{'s' * (count != 1)})"
            for label, count in clips_of.items()
            if count and label not in own
        ]
        other = [
            f"{label!r} (now {renamed[label]!r})" if label in renamed else f"{label!r} (not in the project)"
            for label in own
            if label not in clips_of
        ]
        differing = {"it lacks": missing, "it has": other}
        differences = [f"{side} {listed(names, _MAX_NAMES)}" for side, names in differing.items() if names]
        if differences:
            self.notes.append(
                f"the labels of model {self.model_id} are not those of the project: {'; '.join(differences)}; "
                "`labeltool retrain` trains a model with the labels of now"
            )

    def note_retired_labels(self) -> None:
        """Note that annotations with retired labels are exported, and how many."""
        counts = self.annotations["label"].value_counts()
        retired = [f"{name!r} ({counts[name]})" for name in sorted(clips.retired_names(self.store)) if name in counts]
        if retired:
            self.notes.append(
                f"annotations with retired labels are exported as they are: {listed(retired, _MAX_NAMES)}; no model is "
                "trained on them"
            )

    def check_model(self, *, force: bool) -> None:
        """Refuse a model that is missing, incomplete, or loses more clip accuracy in int8 than the project allows.

        A model whose accuracy was not measured (too few clips for a validation split) is accepted: its card shows it.

        Parameters
        ----------
        force
            Accept a model that loses too much as well.

        Raises
        ------
        LabeltoolError
            With both accuracies and how to export it all the same.
        """
        card = self.model.card
        as_float, as_int8 = card.clip_accuracy, card.int8_clip_accuracy
        allowed = self.project.settings.export.max_int8_loss
        if force or as_float is None or as_int8 is None or as_float - as_int8 <= allowed + _ROUNDING:
            return
        raise LabeltoolError(
            f"clip accuracy of model {self.model_id} falls from {as_float:.1%} to {as_int8:.1%} in int8, more than the "
            f"{allowed:.1%} that max_int8_loss in labeltool.toml allows",
            remedy="retrain, or export it with --force",
        )
