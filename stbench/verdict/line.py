"""The verdict as one greppable line, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stbench.verdict.judge import Verdict
    from stbench.verdict.score import Scored

START = "VERDICT: "
SCORE = "SCORE: "


def verdict_line(verdict: Verdict, run: str) -> str:
    """The last line of a run: fields separated by " | ", in this order, extras between n and metric.

    `VERDICT: WIN | score=0.7125 | baseline=0.4904 | delta=+0.2221 | ci95=[+0.195,+0.248] | p=0.0002 | n=600
    | query_active_dims=41.2 | corpus_active_dims=187.0 | metric=dot_ndcg@10 | run=…`
    """
    named = {
        "score": f"{verdict.score:.4f}",
        "baseline": f"{verdict.baseline:.4f}",
        "delta": f"{verdict.delta:+.4f}",
        "ci95": f"[{verdict.low:+.3f},{verdict.high:+.3f}]",
        "p": f"{verdict.p:.4f}" if verdict.p >= 0.0001 else f"{verdict.p:.0e}",
        "n": str(verdict.n),
        **{_plain(name): _extra(name, value) for name, value in verdict.extras.items()},
        "metric": _plain(verdict.metric),
        "run": _plain(run),
    }
    return " | ".join([START + verdict.outcome, *(f"{name}={value}" for name, value in named.items())])


def score_line(scored: Scored, run: str) -> str:
    """The last line of an evaluation.

    `SCORE: 0.6462 | ci95=[0.602,0.689] | n=300 | metric=cosine_ndcg@10 | run=…`; extras stand between n and metric.
    """
    named = {
        "ci95": f"[{scored.low:.3f},{scored.high:.3f}]",
        "n": str(scored.n),
        **{_plain(name): _extra(name, value) for name, value in scored.extras.items()},
        "metric": _plain(scored.metric),
        "run": _plain(run),
    }
    return " | ".join([f"{SCORE}{scored.score:.4f}", *(f"{name}={value}" for name, value in named.items())])


def parse_line(text: str) -> dict[str, str]:
    """The fields of the last verdict line in `text` (a line or a whole log), `outcome` first, as written.

    Raises ValueError if there is no such line.
    """
    lines = [line[line.index(START) :] for line in text.splitlines() if START in line]
    if not lines:
        raise ValueError(f"no line with {START.strip()!r}")
    outcome, *rest = lines[-1].removeprefix(START).strip().split(" | ")
    return {"outcome": outcome, **{name: value for name, _, value in (part.partition("=") for part in rest)}}


def _extra(name: str, value: float) -> str:
    return f"{value:.0f}" if name == "seeds" else f"{value:.1f}" if name.endswith("dims") else f"{value:.4f}"


def _plain(text: str) -> str:
    """Text that cannot break the line or its separators."""
    return " ".join(text.replace("|", "/").split())
