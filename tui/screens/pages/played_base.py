"""A list of clips to listen to one after the other: which were played, and a thumbnail of each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rich.cells import cell_len
from textual import work
from textual.worker import get_current_worker

from labeltool.annotation.listing import ListedClip
from labeltool.errors import LabeltoolError
from labeltool.records import StoredClip
from labeltool.tui.background.turns import in_turn
from labeltool.tui.screens.list_base import ListScreen
from labeltool.tui.services import Services
from labeltool.tui.shared_keys import View
from labeltool.tui.text import fit, format_time, truncate_left
from labeltool.tui.widgets.lists.clip_list import Part
from labeltool.tui.widgets.lists.thumbnails import COLUMNS, LINES, Levels, strips, thumbnail

_PLAYED_S = 0.5
_MAX_THUMBNAILS = 1000
_MIN_NAME_CELLS = 18  # of the file's name beside a thumbnail


class PlayedListScreen(ListScreen):
    """Knows which clips were played; a subclass chooses the clips."""

    LINES_PER_CLIP = LINES

    def __init__(self, services: Services, view: View, *, repeat_s: float) -> None:
        super().__init__(services, view, repeat_s=repeat_s)
        self._played: set[int] = set()
        self._thumbnails: dict[int, Levels] = {}
        self._playing_all = False
        self.add_class("-pages")

    # -- for subclasses

    def is_rejected(self, clip_id: int) -> bool:
        """Return whether a clip is rejected."""
        raise NotImplementedError

    def clip_played(self) -> None:
        """Do what a subclass needs after a clip was played."""

    # -- thumbnails

    def lines_read(self) -> None:
        if len(self._thumbnails) > _MAX_THUMBNAILS:
            self._thumbnails.clear()
        clips = (self._lines[clip_id].clip for clip_id in self.clips.ids if clip_id in self._lines)
        self._draw_thumbnails([clip for clip in clips if clip.id not in self._thumbnails])

    @work(thread=True, exclusive=True, group="thumbnails")
    def _draw_thumbnails(self, clips: Sequence[StoredClip]) -> None:
        worker, show = get_current_worker(), in_turn(self, self._show_thumbnail)
        for clip in clips:
            if worker.is_cancelled:
                return
            with suppress(LabeltoolError):  # shown with the clip
                show(clip.id, thumbnail(clip))

    def _show_thumbnail(self, clip_id: int, levels: Levels) -> None:
        self._thumbnails[clip_id] = levels
        self.clips.refresh()

    def name_lines(self, listed: ListedClip, width: int) -> list[list[Part]]:
        """Return the start of a clip's lines: accepted or rejected, played or not, and its thumbnail and file.

        Thumbnail and file take `width` cells; where these are few, there is no thumbnail.
        """
        rejected, played = self.is_rejected(listed.clip.id), listed.clip.id in self._played
        pictures: list[list[Part]] = [[] for _ in range(LINES)]
        if width >= _MIN_NAME_CELLS + COLUMNS:
            dark, levels = self.app.current_theme.dark, self._thumbnails.get(listed.clip.id)
            thumbnail_lines = strips(
                levels, dark=dark, ink=self.app.no_color, colour_map=self.services.state.look.colour_map
            )
            pictures = [[*line, (" ", "")] for line in thumbnail_lines]
            width -= COLUMNS + 1
        start = f" {format_time(listed.clip.start_s)}" if listed.clip.start_s else ""
        name = truncate_left(listed.clip.path.rpartition("/")[2], max(0, width - len(start))) + start
        return [
            [
                ("✗ ", "bold $error") if rejected else ("✓ ", "$success"),
                ("♪ " if played else "  ", "$accent"),
                *pictures[0],
                (name, "$quiet strike" if rejected else "$foreground"),
                (" " * max(0, width - cell_len(name)), ""),
            ],
            [(" " * 4, ""), *pictures[1], (fit("played" if played else "", max(0, width)), "$quiet")],
        ]

    # -- playing

    def unplayed(self) -> list[int]:
        return [clip_id for clip_id in self.clips.ids if clip_id not in self._played]

    def _update_playhead(self) -> None:
        super()._update_playhead()
        if not self.owns_player or self.busy:
            return
        player, sound = self.services.player, self._sound
        ended = sound is None or (not player.playing and player.position_s >= sound.duration_s)
        clip_id = self.clips.clip_id
        played = sound is not None and (ended or (player.playing and player.position_s >= _PLAYED_S))
        if played and clip_id is not None and clip_id not in self._played:
            self._played.add(clip_id)
            self.clips.refresh()
            self.show_title()
            self.clip_played()
        if self._playing_all and ended:
            self._play_next()

    def _play_next(self) -> None:
        if self.clips.following(1):
            self.clips.move(1)
        else:
            self._playing_all = False
            self.notice.show("the page is played: Enter accepts the clips that are not rejected")

    def action_play_all(self) -> None:
        """Play one clip of the page after the other, from the selected one; or stop that."""
        self._playing_all = not self._playing_all and bool(self.clips.ids)
        player = self.services.player
        if self._playing_all:
            player.loop = False
            if not player.playing:
                player.replay()
        self.notice.show("playing all clips" if self._playing_all else "playing one clip at a time")
