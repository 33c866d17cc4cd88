"""How spectrograms are drawn: the colours, the range of decibels, the brightness, and pixels or half blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labeltool.settings import AppSettings, ColourMap
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

    @classmethod
    def of_settings(cls, settings: AppSettings) -> Look:
        """Return the look that a project's settings ask for, in half blocks until the terminal is known."""
        return cls(settings.colour_map, settings.db_range)

    def next_colour_map(self) -> Look:
        """Return it with the next colour map."""
        maps = list(ColourMap)
        return replace(self, colour_map=maps[(maps.index(self.colour_map) + 1) % len(maps)])

    def next_db_range(self) -> Look:
        """Return it with the next larger range of decibels; after the largest, down to the noise."""
        return replace(self, db_range=next((size for size in DB_RANGES if size > self.db_range), 0))

    def brighter(self, steps: int) -> Look:
        """Return it brighter (below zero: darker)."""
        shifted = self.brightness_db + steps * BRIGHTNESS_STEP_DB
        return replace(self, brightness_db=min(max(-_MAX_BRIGHTNESS_DB, shifted), _MAX_BRIGHTNESS_DB))

    def brightness(self, mel_db: Float32, sound: Picture) -> Float32:
        """Return the brightness of levels of a sound: from 0, silence, to 1, its peaks; not clipped."""
        span = self.db_range or sound.loudest_db - sound.quiet_db
        shares: Float32 = (mel_db + (self.brightness_db - sound.loudest_db + span)) / span
        return shares
