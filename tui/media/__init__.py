"""Playback, spectrogram tiles and what is needed to draw a clip; no Textual here."""
