"""The app's offer to fetch a pretrained model, where the project has none."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from textual import work

from labeltool.errors import LabeltoolError
from labeltool.pretrained import registry
from labeltool.pretrained.download import published_models
from labeltool.pretrained.registry import AddResult
from labeltool.project import Project, choose_pretrained
from labeltool.tasks.registry import MODEL_FETCH
from labeltool.tui.app_training import TrainingApp
from labeltool.tui.background.task import BackgroundTask
from labeltool.tui.background.turns import in_turn
from labeltool.util.files.atomic_write import write_text

_MODEL = "yamnet"
_TITLE = "YAMNet"
# In the project's cache: the offer was made.
_OFFERED = "pretrained_offered"


class PretrainedApp(TrainingApp):
    """Fetches a pretrained model; `offers_pretrained`: the first start in a project says that there is one to fetch."""

    offers_pretrained = False

    def make_fetcher(self, project: Project) -> BackgroundTask[AddResult]:
        """Return the task that fetches the model and lets it suggest labels."""

        def choose(result: AddResult) -> None:
            try:
                choose_pretrained(project, result.name)
                project.reread_settings()
            except LabeltoolError as error:
                fail(str(error))
            else:
                in_turn(self, self._use_fetched)()

        fail, notify = in_turn(self, self._show_not_fetched), in_turn(self, self.notify_view)

        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            notify(f"{_TITLE}: {stage}" + (f" {100 * done // total} %" if total else ""))

        return BackgroundTask(project, MODEL_FETCH, on_progress=report, on_result=choose, on_failure=fail, name=_MODEL)

    def tour_ended(self) -> None:
        """Offer the model: above the tour it would be one text too many."""
        if self.offers_pretrained and self.current_view is not None:
            # After the key that ended the tour: Escape would dismiss the offer.
            self.current_view.call_later(self.offer_pretrained)

    @work
    async def offer_pretrained(self) -> None:
        """Say once in a project that has no pretrained model how to fetch one."""
        if await asyncio.to_thread(_is_to_be_offered, self.services.project) and self.current_view is not None:
            if self.current_view.notice.warning:
                return  # a warning goes before an offer
            model = published_models()[_MODEL]
            text = f"fetch {_TITLE} ({model.bytes / 1e6:.0f} MB, {model.licence}), which suggests labels from now on"
            self.current_view.notice.warn(
                "; ".join([*self.current_view.offers(("fetch_pretrained", text)), "Esc: not now"])
            )

    def action_fetch_pretrained(self) -> None:
        """Fetch the model."""
        if why := self.services.state.read_only:
            self.warn_view(f"nothing can be fetched here ({why})")
        elif _MODEL in registry.names(self.services.project) and self.services.project.settings.learning.pretrained:
            self.notify_view(f"the project has {_TITLE} already; M maps its classes to labels")
        elif self.services.fetcher.start():
            if self.current_view is not None:
                self.current_view.notice.clear()
            self.notify_view(f"fetching {_TITLE}; go on labelling")
        else:
            self.notify_view(f"{_TITLE} is being fetched already")

    def _show_not_fetched(self, failure: str) -> None:
        reason = failure.replace(published_models()[_MODEL].url, _TITLE).partition(" (")[0]
        key = self.services.keymap.get("fetch_pretrained", ("f4",))[0].upper()
        file = published_models()[_MODEL].file
        by_hand = f"put {file} beside the recordings and press {key}, or give it to `labeltool model add FILE`"
        self.warn_view(f"{reason}; {by_hand}; everything works without it")

    def _use_fetched(self) -> None:
        """Let the model suggest."""
        self.services.state.settings = self.services.project.settings
        self.notify_view(f"{_TITLE} is here: it suggests labels from now on")
        self.services.suggester.start()
        self.reload_view()


def _is_to_be_offered(project: Project) -> bool:
    """Return whether a project has no pretrained model and this was not offered before; the next time it was."""
    offered = project.own_cache / _OFFERED
    if project.settings.learning.pretrained is not None or registry.names(project) or offered.exists():
        return False
    with suppress(OSError, LabeltoolError):
        write_text(offered, "")
        return True
    return False
