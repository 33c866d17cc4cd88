"""What the spectrogram and the waveform share: one time axis, so that one playhead goes through both."""

from __future__ import annotations

GUTTER = 5
"""Columns to the left of the pictures, for the names of frequencies."""

_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60)
_FEWEST_COLUMNS_A_STEP = 9


def time_axis(duration_s: float, columns: int) -> str:
    """Return a line of `columns` letters that names moments under their columns: `╵0 s     ╵1       ╵2`."""
    if duration_s <= 0 or columns <= 0:
        return " " * max(0, columns)
    step = next((s for s in _STEPS_S if s / duration_s * columns >= _FEWEST_COLUMNS_A_STEP), _STEPS_S[-1])
    line = [" "] * columns
    for tick in range(int(duration_s / step) + 1):
        at = int(tick * step / duration_s * columns)
        name = f"╵{tick * step:g}" + (" s" if tick == 0 else "")
        if at + len(name) <= columns:
            line[at : at + len(name)] = name
    return "".join(line)
