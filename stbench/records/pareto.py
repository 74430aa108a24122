"""Which runs no other beats both in quality and in what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence


def front(quality: Sequence[float], cost: Sequence[float | None]) -> list[int]:
    """Places of the Pareto front, cheapest first: quality is better when higher, cost when lower.

    Whoever has no quality or no cost is not in it. Of equal ones all are.
    """
    known = [
        (price, -value, place)
        for place, (value, price) in enumerate(zip(quality, cost, strict=True))
        if price is not None and math.isfinite(value) and math.isfinite(price)
    ]
    found: list[int] = []
    best, paid = -math.inf, math.inf
    for price, negative, place in sorted(known):
        if -negative > best or (-negative == best and price == paid):
            found.append(place)
            best, paid = -negative, price
    return found
