"""Did you mean …?"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name most like `word`, if one is like it at all; case and separators count little."""
    plain = {name.lower().replace("-", "_"): name for name in names}
    wanted = word.lower().replace("-", "_")
    matches = get_close_matches(wanted, plain, n=1, cutoff=0.6)
    if matches:
        return plain[matches[0]]
    containing = [name for key, name in plain.items() if wanted and (wanted in key or key in wanted)]
    return min(containing, key=len) if containing else None


def did_you_mean(word: str, names: Iterable[str], template: str = "{}") -> str:
    """A sentence that offers the closest name, else lists what there is."""
    names = sorted(names)
    match = closest(word, names)
    if match is not None:
        return f"did you mean {template.format(match)}?"
    return f"choose one of: {', '.join(names)}"
