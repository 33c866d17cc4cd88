"""The time axis that spectrogram, waveform and lanes share, and the names of moments."""

from __future__ import annotations

GUTTER = 5
"""The number of columns to the left of spectrogram and waveform, for the frequencies and the frame."""

FRAME = 1
"""The number of columns to their right, for the frame."""

_STEPS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400),
)
_MIN_STEP_COLUMNS = 9
_MAX_SECONDS_AXIS_S = 60.0  # a longer axis has minutes and hours


def columns_of(width: int) -> int:
    """Return how many columns a widget of some width has for time."""
    return width - GUTTER - FRAME


def time_axis(duration_s: float, columns: int, start_s: float = 0.0) -> str:
    """Return a line of `columns` letters that names moments under their columns: `╵0 s     ╵1       ╵2`."""
    if duration_s <= 0 or columns <= 0:
        return " " * max(0, columns)
    end_s = start_s + duration_s
    needed = max(_MIN_STEP_COLUMNS, len(moment_name(end_s, duration_s / columns)) + 2)
    step = next((s for s in _STEPS_S if s / duration_s * columns >= needed), _STEPS_S[-1])
    line = [" "] * columns
    first = -int(-start_s // step)
    for tick in range(first, int(end_s / step) + 1):
        at = int((tick * step - start_s) / duration_s * columns)
        seconds = end_s <= _MAX_SECONDS_AXIS_S
        name = f"{tick * step:g}" + (" s" if tick == first else "") if seconds else moment_name(tick * step, step)
        if at >= 0 and at + len(name) < columns:
            line[at : at + len(name) + 1] = f"╵{name}"
    return "".join(line)


def moment_name(seconds: float, precision_s: float) -> str:
    """Return a moment as hours, minutes and seconds, with the digits of the precision: `1:02:05`, `2:05.25`."""
    digits = next((digits for digits in range(3) if precision_s >= 0.999 * 10**-digits), 3)
    units = round(max(0.0, seconds) * 10**digits)
    minutes, units = divmod(units, 60 * 10**digits)
    hours, minutes = divmod(minutes, 60)
    seconds_text = f"{units / 10**digits:0{digits + 3 if digits else 2}.{digits}f}"
    return f"{hours}:{minutes:02}:{seconds_text}" if hours else f"{minutes}:{seconds_text}"
