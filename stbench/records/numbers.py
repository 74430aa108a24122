"""How numbers are written."""

from __future__ import annotations

import math


def number(value: float | int | str | None) -> str:
    """Four decimals for scores, fewer for large values, a dash for what is missing."""
    if value is None or isinstance(value, str):
        return value or "–"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else f"{value}"
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if 0 < size < 0.00005:
        return f"{value:.1e}"
    return f"{value:.4f}" if size < 10 else f"{value:,.1f}"


def signed(value: float | None) -> str:
    """Like `number`, with a sign that lines up: + or a true minus."""
    if value is None or math.isnan(value):
        return "–"
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return sign + number(abs(float(value)))
