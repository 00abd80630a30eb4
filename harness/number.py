"""How a number looks: its unit, its interval, and no more digits than the interval supports.

One place, so that the terminal, Markdown and HTML never disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

NOTHING = "–"
"""What stands where there is no number."""

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_TIME_UNITS = {label: seconds for seconds, label in _TIMES} | {"us": 1e-6}
_BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
_COUNTS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Scale:
    """What a value is multiplied by, and the unit that it then has."""

    factor: float
    unit: str


PLAIN = Scale(1.0, "")


def scale(values: Iterable[float | None], unit: str | None) -> Scale:
    """The readable unit for values that are shown together: ms for 0.002 s to 0.9 s, MiB for 3e6 to 4e8 bytes.

    Chosen by the geometric mean, so that neither the largest nor the smallest decides alone.
    """
    unit = unit or ""
    logs = [math.log(abs(value)) for value in values if value and math.isfinite(value)]
    middle = math.exp(sum(logs) / len(logs)) if logs else 1.0
    if unit in _TIME_UNITS:
        seconds, label = next((pair for pair in _TIMES if middle * _TIME_UNITS[unit] >= pair[0]), _TIMES[-1])
        return Scale(_TIME_UNITS[unit] / seconds, label)
    if unit == "bytes":
        size, label = next((pair for pair in _BYTES if middle >= pair[0]), _BYTES[-1])
        return Scale(1 / size, label)
    if unit == "fraction":
        return Scale(100.0, "%")
    if unit in ("parameters", "tokens") and middle >= 1e9:  # nobody reads twelve digits
        size, label = next(pair for pair in _COUNTS if middle >= pair[0])
        return Scale(1 / size, f"{label} {unit}")
    if unit == "FLOPs" and middle >= 1e9:
        power = math.floor(math.log10(middle))
        return Scale(10.0**-power, f"× 10^{power} FLOPs")
    return Scale(1.0, "" if unit == "ratio" else unit)


@dataclass(frozen=True)
class Shown:
    """A number as it is shown. Its interval comes in two forms: both ends, or (where room is short) a spread."""

    value: str
    interval: str = ""
    """`[12.01, 12.70]`, or empty where it is exact or has none."""
    spread: str = ""
    """`±2.9%`, the distance of both ends from the value (of a share, and of what may be 0, in its own unit, `±0.04`);
    where the ends are not equally far, as it is shown, both of them as in `interval`."""

    def __str__(self) -> str:
        return f"{self.value} {self.interval}" if self.interval else self.value


def with_interval(value: float | None, low: float | None, high: float | None, unit: str | None = None) -> str:
    """`12.34 [12.01, 12.70] ms`: the value in a readable unit, with its interval where it has one."""
    chosen = scale([value], unit)
    text = str(shown(value, low, high, chosen))
    if value is None or not chosen.unit:
        return text
    return f"{text}{'' if chosen.unit == '%' else ' '}{chosen.unit}"


def shown(value: float | None, low: float | None, high: float | None, scale: Scale = PLAIN) -> Shown:
    """The number in a scale, without its unit: a table has that in the header."""
    if value is None:
        return Shown(NOTHING)
    scaled = value * scale.factor
    # launches that agree to the byte give ends that differ by rounding alone
    if low is None or high is None or math.isclose(low, high, rel_tol=1e-12) or math.isnan(high - low):
        return Shown(plain(scaled))
    if math.isinf(high - low) and math.isfinite(scaled):  # an end that is nowhere is worth telling
        ends = f"[{plain(low * scale.factor)}, {plain(high * scale.factor)}]"
        return Shown(plain(scaled), ends, ends)
    if not math.isfinite(scaled):
        return Shown(plain(scaled))
    decimals = _decimals(scaled, (high - low) * scale.factor / 2)
    ends = "[" + ", ".join(_fixed(end * scale.factor, decimals) for end in (low, high)) + "]"
    if scale.unit == "share":  # half of nothing is nothing, and a share is read in points
        below, above = (_fixed(distance, max(decimals, 2)) for distance in (value - low, high - value))
    elif value and low < 0 < high:  # parts of what may be 0 say nothing
        below, above = (_fixed(distance * scale.factor, decimals) for distance in (value - low, high - value))
    elif value:
        below, above = (_percent(distance / abs(value)) for distance in (value - low, high - value))
    else:
        return Shown(_fixed(scaled, decimals), ends, ends)
    return Shown(_fixed(scaled, decimals), ends, f"±{below}" if below == above else ends)


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f}%" if percent >= 9.95 else f"{percent:.1f}%" if percent >= 0.095 else f"{percent:.1g}%"


def plain(value: float | None) -> str:
    """A number without an interval, to four significant digits; whole numbers whole, with separators."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return "∞" if value == math.inf else "-∞" if value == -math.inf else NOTHING
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) < 1e-4 or abs(value) >= 1e9:
        return f"{value:.3g}"
    return _fixed(value, max(0, 3 - _magnitude(value)))


def count(value: float | None) -> str:
    """A count of parameters or tokens: 134.5 M."""
    if value is None:
        return NOTHING
    size, label = next((pair for pair in _COUNTS if abs(value) >= pair[0]), (1.0, ""))
    if not math.isfinite(value):
        return plain(value)
    if not label:
        return f"{value:,.0f}"
    return f"{_fixed(value / size, max(0, 3 - _magnitude(value / size)))} {label}"


def duration(seconds: float | None) -> str:
    """`4 min 11 s`, `3.2 s`."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return (f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s").replace(" 0 s", "")


def _decimals(value: float, half_width: float) -> int:
    """Two significant digits of the half-width, but never more than six of the value."""
    if half_width <= 0:
        return max(0, 3 - _magnitude(value))
    return max(0, min(1 - _magnitude(half_width), 5 - _magnitude(value)))


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def _fixed(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return plain(value)
    return f"{value:,.{decimals}f}"
