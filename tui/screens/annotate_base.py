"""What every view for labelling shares: keys write rows of the journal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from labeltool.errors import LabeltoolError
from labeltool.records import Value
from labeltool.store.journal import AnnotationContext, JournalRow
from labeltool.tui.background.prefetch import PreparedClip
from labeltool.tui.dialogs.commands import Command
from labeltool.tui.dialogs.palette import Palette
from labeltool.tui.dialogs.prompts import TextPrompt, ask
from labeltool.tui.keymap import label_key_names
from labeltool.tui.label_choices import (
    ENTER,
    LabelChoice,
    by_probability,
    by_usage,
    first_choice,
    label_choices,
    label_of_keys,
)
from labeltool.tui.screens.undo_base import UndoScreen, present_labels
from labeltool.tui.services import Services
from labeltool.tui.session import Annotation
from labeltool.tui.shared_keys import View
from labeltool.tui.widgets.suggestions import LabelMode, Suggestions, describe_row

# Nobody who presses a key within as many times `repeat_s` has seen that the label it gives changed.
_REACTIONS = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict that a key or a choice gives.

    Attributes
    ----------
    key
        A name of the key, to recognize one that repeats; None where the label was chosen in a palette.
    accepted_from
        The `uid` of the model whose suggestion is accepted.
    replaces
        Whether the label replaces those that the clip has.
    """

    key: str | None
    label: str | None
    value: Value = Value.PRESENT
    accepted_from: str | None = None
    replaces: bool = True


class AnnotateScreen(UndoScreen):
    """Labels the clip on the screen; a subclass chooses the clip and what follows it.

    Parameters
    ----------
    repeat_s
        The same label key again within this time is a key that repeats or bounces, and is ignored.
    """

    def __init__(self, services: Services, view: View, *, repeat_s: float) -> None:
        super().__init__(services, view)
        self.label_keys = label_key_names(self.view)
        self.panel = Suggestions(self.label_keys, id="suggestions")
        self._repeat_s, self._unseen_s = repeat_s, _REACTIONS * repeat_s
        self.choices: tuple[LabelChoice, ...] = ()  # the labels that one key gives
        self._mode = LabelMode.LABEL
        self._annotated_here = False
        self._new_keys: dict[str, str] = {}
        # When a key got another label while the clip is shown; see `label_of_keys`.
        self._changed_at: dict[str, float] = {}

    # -- for subclasses

    def present_on(self, prepared: PreparedClip) -> list[str]:
        """Return the labels that are present on a clip or region."""
        return present_labels(prepared.rows)

    async def write(self, prepared: PreparedClip, annotation: Annotation) -> JournalRow:
        """Write a verdict on a clip or region."""
        seen = None if prepared.is_second else prepared.rows
        return await self.services.session.annotate(prepared.clip.id, annotation, seen=seen)

    async def write_note(self, prepared: PreparedClip, text: str) -> JournalRow:
        """Write a note on a clip or region."""
        return await self.services.session.note(prepared.clip.id, text)

    # -- the screen

    @property
    def awaits_clip(self) -> bool:
        """Whether a clip is being read: what is typed meanwhile is no key for it."""
        return False

    @property
    def first_choice(self) -> LabelChoice | None:
        """The label that Enter accepts; None where nothing is suggested."""
        return first_choice(self.choices)

    def show_prepared(self, prepared: PreparedClip) -> None:
        self._mode, self._annotated_here = LabelMode.LABEL, False
        self._new_keys.clear()
        self._changed_at.clear()
        self.choices = self.choices_for(prepared)
        self.show_clip(prepared)
        self.show_choices()
        self._shown_at = time.monotonic()

    def show_no_clip(self, *lines: str) -> None:
        self.choices, self._annotated_here = (), False
        self.show_text(*lines)
        self.panel.clear()

    def show_choices(self) -> None:
        if self.current is None:
            return
        source = self.source if self.choices else "no labels yet: / makes one"
        self.panel.show(
            self.choices, self.current.rows, first=self.first_choice, prompt=self.prompt, source=source, mode=self._mode
        )

    def choices_for(self, prepared: PreparedClip) -> tuple[LabelChoice, ...]:
        """Return the labels that one key gives a clip."""
        return self.with_keys(prepared.probabilities, prepared.proposed)

    def with_keys(
        self, suggested: Mapping[str, float], proposed: Mapping[str, float] = MappingProxyType({})
    ) -> tuple[LabelChoice, ...]:
        """Return the labels that one key gives, see `label_choices`; new ones keep their keys while a clip is shown."""
        labels = self.services.state.labels
        choices = label_choices(labels, suggested, proposed, keys=self.label_keys, kept=self._new_keys)
        self._new_keys |= {choice.label: choice.key for choice in choices if choice.is_new and choice.key}
        return choices

    @property
    def prompt(self) -> str:
        """The line above the labels: what the next label means."""
        return self._mode.value

    @property
    def source(self) -> str:
        """Where the suggestions come from."""
        return (self.current.source if self.current is not None else "") or "nothing is suggested yet"

    def update_choices(self) -> None:
        if self.current is not None:
            before = label_of_keys(self.choices)
            self.choices = self.choices_for(self.current)
            changed = label_of_keys(self.choices).items() - before.items()
            # A label that appears at its own key is what the key was pressed for.
            own = {one.key for one in self.choices if not one.is_new} - before.keys()
            self._changed_at |= {key: time.monotonic() for key, _ in changed if key not in own}
            self.show_choices()

    def renew_suggestions(self, renewed: Sequence[PreparedClip]) -> None:
        """Show newer suggestions for the clip on the screen, where nothing was labelled on it yet."""
        current = self.current
        newer = next((one for one in renewed if current is not None and one.clip == current.clip), None)
        if current is None or newer is None or self._annotated_here or self.busy or current.rows != newer.rows:
            return
        self.current = replace(newer, sound=current.sound, problem=current.problem)
        self.update_choices()

    def enter(self) -> None:
        """Take the player back from another view."""
        super().enter()
        self.take_player()

    # -- labels

    async def action_label_key(self, key: str) -> None:
        choice = next((choice for choice in self.choices if choice.key == key), None)
        if choice is not None and time.monotonic() - self._changed_at.get(key, 0.0) < self._unseen_s:
            self.notice.show(f"this is the key of {choice.label} by now: again gives it")
        elif choice is not None:
            await self._choose(choice)
        elif self.current is not None:
            self.notice.show(f"no label has the key {self.label_keys.get(key, key)}; / finds or makes one")

    async def action_accept_first(self) -> None:
        choice = self.first_choice
        if choice is not None and time.monotonic() - self._changed_at.get(ENTER, 0.0) < self._unseen_s:
            self.notice.show("the first suggestion has just changed: Enter again accepts it")
        elif choice is not None:
            await self._choose(choice)
        elif self.current is not None:
            self.notice.show("no suggestion to accept: press the key of a label, / finds or makes one")

    async def _choose(self, choice: LabelChoice) -> None:
        current = self.current
        accepted = choice.is_suggested and self._mode is not LabelMode.ABSENT
        predicted = current is not None and choice.label in current.probabilities
        model_uid = current.model_uid if current is not None and accepted and predicted else None
        await self.annotate(Answer(f"label {choice.label}", choice.label, accepted_from=model_uid))

    def command_titles(self) -> Mapping[str, str | None]:
        first = self.first_choice
        return {"accept_first": f"accept the first suggestion: {first.label}" if first is not None else None}

    async def run_command(self, command: Command) -> None:
        """Run a command of the palette, or give the label that it names."""
        if command.label:
            await self.annotate(Answer(None, command.label))
        else:
            await super().run_command(command)

    async def action_none_of_these(self) -> None:
        await self.annotate(Answer("none", None, Value.ABSENT))

    async def action_unsure(self) -> None:
        await self.annotate(Answer("unsure", None, Value.UNSURE))

    async def action_bad_audio(self) -> None:
        await self._exclude("bad audio")

    async def action_skip(self) -> None:
        """Show the clip again at the end; where a label was added or rejected here, go to the next one."""
        if self._annotated_here:
            if self.current is not None and not self.busy:
                self._finish_clip(self.current.clip.id)
        else:
            await self._exclude("skip")

    def action_add_label(self) -> None:
        self._set_mode(LabelMode.LABEL if self._mode is LabelMode.ADD else LabelMode.ADD)

    def action_reject_label(self) -> None:
        """Reject the next label: it is absent."""
        self._set_mode(LabelMode.LABEL if self._mode is LabelMode.ABSENT else LabelMode.ABSENT)

    def action_cancel(self) -> None:
        """Cancel adding or rejecting a label, dismiss a warning, or else end what the mouse selected, or the zoom."""
        if self._mode is LabelMode.LABEL and not self.notice.warning:
            self.show_all()
        self._set_mode(LabelMode.LABEL)
        self.notice.clear()

    def action_find_label(self) -> None:
        prepared = self.current
        if prepared is None and not self.awaits_clip:
            return

        async def choose(label: str) -> None:
            # The same clip may have been read again meanwhile, as after a training.
            if prepared is not None and self.current is not None and self.current.clip == prepared.clip:
                await self.annotate(Answer(None, label))
            else:
                self.notice.warn(f"another clip is on the screen by now: {label!r} was not written")

        labels, classes = by_usage(self.services.state.label_counts), self.services.live.class_names()
        predicted = [choice.label for choice in by_probability(self.choices) if choice.is_new]
        predicted += prepared.likely if prepared is not None else ()
        ask(self.app, Palette(self._mode.value, labels, new=classes, predicted=predicted), choose)

    def action_note(self) -> None:
        prepared = self.current
        if prepared is None:
            return

        async def write(text: str) -> None:
            row = await self.attempt(self.write_note(prepared, text)) if text else None
            if row is not None:
                self.notice.show(describe_row(row))
                self._add_row(prepared, row)
                self.show_choices()

        ask(self.app, TextPrompt("Note on this clip"), write)

    async def annotate(self, answer: Answer) -> None:
        """Write a verdict on the clip on the screen and go on; after `m` or `x`, stay."""
        current, label = self.current, answer.label
        # First of all: a key that repeats while the screen is busy still repeats afterwards.
        if self._is_repeat(answer.key) or self._is_early() or current is None:
            return
        mode = LabelMode.LABEL if label is None else self._mode
        value = Value.ABSENT if mode is LabelMode.ABSENT else answer.value
        response_s = time.monotonic() - self._shown_at
        # Further labels are added with `m`.
        replaces = answer.replaces and mode is LabelMode.LABEL and value is Value.PRESENT and not self._annotated_here
        was = [name for name in self.present_on(current) if name != label] if replaces or label is None else []
        context = AnnotationContext(
            accepted_from=answer.accepted_from,
            suggested=self._suggested,
            response_ms=round(response_s * 1000),
            instead_of=was if replaces else [],
        )
        annotation = Annotation(label, value, context, self.key_of_new(label))
        try:
            row = await self.write(current, annotation)
        except LabeltoolError as error:
            # Nothing was stored: the clip stays.
            self.show_refusal(error)
            return
        await self.read_new_label(label)
        self._count_annotation(current, annotation)
        self._add_row(current, row, context.instead_of)
        self.notice.show(describe_row(row) + (f" (was {', '.join(was)})" if was else ""))
        if mode is LabelMode.LABEL:
            self._finish_clip(current.clip.id)
        else:
            self._annotated_here = True
            self._set_mode(LabelMode.LABEL)
            self.header.refresh()
            self.notice.show(f"{describe_row(row)}   s: next clip")

    @property
    def _suggested(self) -> str | None:
        """The label that is suggested first."""
        return self.first_choice.label if self.first_choice is not None else None

    def key_of_new(self, label: str | None) -> str:
        """Return the key that is shown for a class of a pretrained model which becomes a label; "" for other names."""
        return next((choice.key for choice in self.choices if choice.is_new and choice.label == label), "")

    def _count_annotation(self, prepared: PreparedClip, annotation: Annotation) -> None:
        state = self.services.state
        if annotation.value is Value.PRESENT:
            state.count_label(annotation.label, 1)
        for name in annotation.context.instead_of:
            state.count_label(name, -1)
        state.labelled += not (prepared.has_verdict or prepared.is_second)

    async def _exclude(self, kind: str) -> None:
        current = self.current
        if self._is_repeat(kind) or self._is_early() or current is None:
            return
        response_ms = round((time.monotonic() - self._shown_at) * 1000)
        try:
            await self.services.session.exclude(current.clip.id, kind, response_ms=response_ms, seen=current.rows)
        except LabeltoolError as error:
            self.show_refusal(error)
            return
        self.notice.show("bad audio" if kind == "bad audio" else "skipped: shown again at the end")
        self._finish_clip(current.clip.id)

    def _add_row(self, prepared: PreparedClip, row: JournalRow, instead_of: Sequence[str] = ()) -> None:
        """Add a row to those of its clip, in place of the labels it replaces, if the clip is still on the screen."""
        if self.current is not None and self.current.clip == prepared.clip:
            kept = (old for old in self.current.rows if old.kind != "verdict" or old.label not in instead_of)
            self.current = replace(self.current, rows=(*kept, row))

    def _finish_clip(self, clip_id: int) -> None:
        self.header.refresh()
        self.show_next(clip_id)

    def _is_repeat(self, key: str | None) -> bool:
        """Return whether a label key repeats because it is held down or bounces."""
        last, self._last_key = self._last_key, (key, time.monotonic())
        repeats = key is not None and last[0] == key and self._last_key[1] - last[1] < self._repeat_s
        if repeats:
            self.notice.show("the same key again at once: ignored")
        return repeats

    def _is_early(self) -> bool:
        """Return whether the clip that a key may be for is not on the screen yet, with a notice."""
        is_early = self.busy or self.awaits_clip
        if is_early:
            self.notice.show("the next clip was not there yet: a key was ignored")
        return is_early

    def _set_mode(self, mode: LabelMode) -> None:
        self._mode = mode
        self.show_choices()
