"""The app's similar clips, clusters and class mapping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work

from labeltool.similarity import search
from labeltool.store import Store
from labeltool.tui.app_pretrained import PretrainedApp
from labeltool.tui.background.comparer import Comparison
from labeltool.tui.keys import BROWSE
from labeltool.tui.screens.browse import BrowseScreen
from labeltool.tui.screens.class_mapping import ClassMappingScreen
from labeltool.tui.screens.list_base import ListScreen
from labeltool.tui.screens.pages.clusters import ClustersScreen

if TYPE_CHECKING:
    from labeltool.pretrained.project_classes import AgreementResult

_RETRY_S = 0.5
_WAIT_S = 0.05
_MAX_SIMILAR = 200


class SimilarApp(PretrainedApp):
    """Compares clips, and maps classes of a pretrained model."""

    @work(exclusive=True, group="similar")
    async def action_similar(self) -> None:
        """Browse the clips most similar to the one on the screen; index the clips first where they are not."""
        view = self.current_view
        if view is None:
            return
        while isinstance(view, ListScreen) and view.awaits_row and view is self.current_view:
            await asyncio.sleep(_WAIT_S)
        if view is not self.current_view:
            return
        if view.current is None or not view.current.clip.id:  # a region that is no clip yet
            view.notice.show("Similar needs a clip: select one in Label (A) or Browse (B)")
            return
        clip, project, comparer = view.current.clip, self.services.project, self.services.comparer

        def find(store: Store) -> tuple[search.SimilarClips | None, int]:
            source = search.feature_source(project, store)
            similar = search.similar_clips(project, store, source, clip, _MAX_SIMILAR)
            return similar, search.count_unindexed(project, store, source)

        found = await view.attempt(self.services.reader.do(find))
        if found is None:
            return
        similar, unindexed = found
        comparer.start(unindexed)
        if self.current_view is not view or view.current is None or view.current.clip.id != clip.id:
            return  # another clip is on the screen by now: the next key must not meet a list instead of it
        if similar is not None:
            await self.action_view(BROWSE.name)
            if isinstance(self.current_view, BrowseScreen):
                self.current_view.show_similar(similar)
        elif comparer.busy:
            view.notice.show(f"comparing {unindexed:,} clips first; go on, and press L again when it is done")
        else:
            view.notice.warn("no similar clips: the file of this clip cannot be read")

    def show_comparison(self, comparison: Comparison) -> None:
        """Show the progress, the result or the failure of indexing or clustering."""
        view = self.current_view
        if comparison.groups is not None and comparison.groups.split:
            self.services.state.split_groups = comparison.groups
        elif comparison.groups is not None:
            self.services.state.groups = comparison.groups
        if isinstance(view, ClustersScreen):
            view.update_progress(comparison)
        elif not comparison.over:
            return
        elif comparison.failure:
            self.warn_view(comparison.failure)
        elif comparison.groups is not None and comparison.groups.split:
            self.notify_view(f"{comparison.groups.split} is sorted by similarity: F3, then s goes on with the split")
        elif comparison.groups is not None:
            self.notify_view(f"{len(comparison.groups.clips):,} clusters of similar clips: C shows them")
        else:
            self.notify_view(f"{comparison.added:,} clips compared: L shows the clips similar to this one")

    # -- class mapping

    def renew_suggestions(self) -> None:
        """Make new suggestions, after those that are being made."""
        if not self.services.suggester.start():
            self.set_timer(_RETRY_S, self.renew_suggestions)

    def show_agreement(self, result: AgreementResult) -> None:
        """Show how classes agree with labels: measured while the view was open, which may have been left meanwhile."""
        if isinstance(self.current_view, ClassMappingScreen):
            self.current_view.show_agreement(result)

    def show_no_agreement(self, failure: str) -> None:
        """Show why that was not measured, in that view."""
        if isinstance(self.current_view, ClassMappingScreen):
            self.warn_view(failure)
