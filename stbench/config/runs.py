"""The option `runs`: how it is written, and which jobs read it."""

from __future__ import annotations

import re

from hydra.core.override_parser.types import Quote, QuotedString

from stbench.config.sentence import Sentence
from stbench.errors import Problem, Refused

READ_BY = ("compare", "leaderboard")
"""Jobs that look at other runs."""
_ITEM = re.compile(r""""([^"]*)"|'([^']*)'|([^,\s](?:[^,]*[^,\s])?)""")


def as_list(value: str) -> str:
    """`[a,b]`, `a,b` or `a` as a list of Hydra's grammar, every name in quotes: a fingerprint such as 61672e08 is no number."""
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    names = ["".join(found) for found in _ITEM.findall(text)]
    return f"[{','.join(str(QuotedString(name, Quote.double).with_quotes()) for name in names)}]"


def readable(sentence: Sentence) -> Sentence:
    """`sentence` itself. Raises `Refused` when it names runs and its job would not look at them."""
    if sentence.runs and sentence.job.kind not in READ_BY:
        what = f"job={sentence.job.kind} looks at no other runs"
        raise Refused(Problem(what, f"runs=[{','.join(sentence.runs)}]", "job=compare holds them against each other"))
    return sentence
