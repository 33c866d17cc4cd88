"""Commands for long recordings: `detect`, `watch`, `density`."""
