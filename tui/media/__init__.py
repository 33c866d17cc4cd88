"""Audio and spectrograms, without widgets: clips, tiles of recordings, playback, viewport and selection."""
