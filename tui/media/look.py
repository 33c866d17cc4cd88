"""How spectrograms are drawn: the colours, the range of decibels, the brightness, and pixels or half blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labeltool.settings import AppSettings, ColourMap, Pixels
from labeltool.tui.media.clip_picture import Picture
from labeltool.tui.media.graphics import Graphics
from labeltool.type_aliases import Float32

DB_RANGES = (0, 40, 60, 80)
"""Decibels that a spectrogram shows below its peaks; 0: down to the noise of the sound."""

BRIGHTNESS_STEP_DB = 4.0
_MAX_BRIGHTNESS_DB = 40.0


@dataclass(frozen=True, slots=True)
class Look:
    """How spectrograms are drawn.

    Attributes
    ----------
    db_range
        See `DB_RANGES`.
    brightness_db
        By how much everything is drawn louder than it is, for faint sounds.
    graphics
        How pixels get to the terminal; `Graphics.NONE` draws half blocks.
    """

    colour_map: ColourMap = ColourMap.TEAL
    db_range: int = 0
    brightness_db: float = 0.0
    graphics: Graphics = Graphics.NONE

    def with_settings(self, settings: AppSettings, graphics: Graphics) -> Look:
        """Return it as a project's settings want it, in a terminal with some graphics."""
        shown = Graphics.NONE if settings.pixels is Pixels.OFF else graphics
        return replace(self, colour_map=settings.colour_map, db_range=settings.db_range, graphics=shown)

    def brighter(self, steps: int) -> Look:
        """Return it brighter (below zero: darker)."""
        shifted = self.brightness_db + steps * BRIGHTNESS_STEP_DB
        return replace(self, brightness_db=min(max(-_MAX_BRIGHTNESS_DB, shifted), _MAX_BRIGHTNESS_DB))

    def brightness(self, mel_db: Float32, sound: Picture) -> Float32:
        """Return the brightness of levels of a sound: from 0, silence, to 1, its peaks; not clipped."""
        span = self.db_range or sound.loudest_db - sound.quiet_db
        shares: Float32 = (mel_db + (self.brightness_db - sound.loudest_db + span)) / span
        return shares
