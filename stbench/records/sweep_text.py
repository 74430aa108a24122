"""The end of a sweep in words and tables, as the console shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stbench.records import comparison_text as words
from stbench.records.comparison_text import TextTable
from stbench.records.numbers import signed
from stbench.records.sweep import SEEDS, Board, Standing, SweepResult, SweepRow
from stbench.records.sweep_effects import Effect, Level

FALLEN = "*"
"""Behind a verdict that does not hold once it is counted how many runs were tried."""
COUNTED = ("finished", "reused", "failed", "refused", "pruned")
"""Fields of the last line, between the jobs and the best of them."""
UNTESTED = "One run a combination: no test is made of it, and chance has its share."
WIDEST = 40
WIDEST_REASON = 90


def tables(result: SweepResult) -> list[TextTable]:
    """Every job once: boards, then what has no rank; and the effects of what was swept."""
    boards = [board_table(result, board) for board in result.boards]
    lost = unranked_table(result)
    return [*boards, *([lost] if lost else []), *(effect_table(result, board) for board in result.boards if board.leveled)]  # fmt: skip


def board_table(result: SweepResult, board: Board) -> TextTable:
    names = short_names(result.factors)
    columns = ["#", *names, board.group.metric, "95 % interval", "over its baseline", "verdict", "p (verdict)",
               "behind the best", "p (behind)", "took"]  # fmt: skip
    rows = [_board_row(result, one) for one in board.standings]
    return TextTable(board.title, columns, [*rows, *_references(board, names, columns)], (*names, "verdict"), WIDEST)


def _references(board: Board, names: Sequence[str], columns: Sequence[str]) -> list[list[str]]:
    """Scores of other systems; they have no options, so their names stand where these would."""
    others, rest = [""] * (len(names) - 1), [""] * (len(columns) - len(names) - 2)
    return [
        ["", name, *others, words.score(value), *rest] for name, value in board.group.references.items() if names
    ]  # fmt: skip


def _board_row(result: SweepResult, one: Standing) -> list[str]:
    return [
        str(one.row.number), *values(result, one.row), words.score(one.spread.value), words.between(one.spread.low, one.spread.high),
        signed(one.delta) if one.delta is not None else "", outcome(one), p_of(one), behind(one),
        words.p(one.behind) if one.behind else "", took(one.row),
    ]  # fmt: skip


def unranked_table(result: SweepResult) -> TextTable | None:
    """Jobs without a score to rank, and why."""
    if not result.unranked:
        return None
    names = short_names(result.factors)
    rows = [[str(row.number), *values(result, row), row.state, row.reason] for row in result.unranked]
    columns = ["#", *names, "state", "why"]
    return TextTable("without a rank", columns, rows, (*names, "state", "why"), WIDEST_REASON)


def effect_table(result: SweepResult, board: Board) -> TextTable:
    """A line for each level; what belongs to the whole option stands in its first."""
    columns = ["option", "level", "runs", "in the mean", "mean", "best", "spread of means", "share of variance"]
    short = dict(zip(result.factors, short_names(result.factors), strict=True))
    rows = [row for effect in board.leveled for row in _effect_rows(effect, short[effect.factor])]
    several = len(result.boards) > 1
    title = f"what each option did: {board.title if several else board.group.metric}"
    return TextTable(title, columns, rows, ("option", "level"), WIDEST)


def _effect_rows(effect: Effect, name: str) -> list[list[str]]:
    whole = [f"{effect.spread:.4f}", share(effect)]
    return [
        [name if place == 0 else "", *_level_cells(level), *(whole if place == 0 else ("", ""))]
        for place, level in enumerate(effect.levels)
    ]


def _level_cells(level: Level) -> list[str]:
    counts = [str(len(level.scores)), str(level.counted)]
    return [level.name, *counts, words.score(level.mean), words.score(level.best)]


def short_names(factors: Sequence[str]) -> list[str]:
    """The last word of each option, where it is enough to tell them apart."""
    last = [name.rsplit(".", 1)[-1] for name in factors]
    return [short if last.count(short) == 1 else name for short, name in zip(last, factors, strict=True)]


def values(result: SweepResult, row: SweepRow) -> list[str]:
    return [row.factors.get(name, "–") for name in result.factors]


def outcome(one: Standing) -> str:
    return one.run.outcome if one.holds else f"{one.run.outcome}{FALLEN}"


def p_of(one: Standing) -> str:
    """Of its verdict, corrected where there are several."""
    value = one.p if one.corrected is None else one.corrected
    return "" if value is None else words.p_read(value)


def behind(one: Standing) -> str:
    if one.behind is None:
        return "best"
    return f"{signed(one.behind.delta)}{f' {words.TIED}' if one.tied else ''}"


def took(row: SweepRow) -> str:
    return "was there" if row.reused else words.duration(row.seconds)


def share(effect: Effect) -> str:
    return "–" if effect.share is None else f"{100 * effect.share:.0f} %"


def remarks(result: SweepResult) -> list[str]:
    """What a reader has to know to read the tables."""
    # It begins with how many groups there are, and ends with how pairs are corrected.
    lines = words.remarks(result.comparison)
    lines += [text for board in result.boards for text in _board_remarks(result, board)]
    return list(dict.fromkeys([*result.notes, *lines, *_same_runs(result)]))


def _board_remarks(result: SweepResult, board: Board) -> list[str]:
    head = f"{board.title}: " if len(result.boards) > 1 else ""
    found = [
        chosen(board, searched=bool(result.notes)),
        weightiest(board),
        *(_mixed(effect) for effect in board.leveled),
    ]
    return [f"{head}{text}" for text in found if text]


def chosen(board: Board, searched: bool = False) -> str:
    """Why the verdicts of many runs are corrected, and how; a search chooses otherwise, but the table ranks as it does."""
    told = [one for one in board.standings if one.corrected is not None]
    number = len({one.run.path for one in told})
    if number < 2:
        return ""
    fallen = [one for one in told if not one.holds]
    what = "stands first by" if searched else "is picked by"
    text = (
        f"The best of {number} runs {what} its test score, which makes it look better than it is; so the p of each "
        f"verdict is corrected for all {number} by Holm's method."
    )
    marks = " and ".join(sorted({outcome(one) for one in fallen}))
    return f"{text} {marks}: the verdict of the run alone, which does not survive the correction." if fallen else text


def weightiest(board: Board) -> str:
    """Which option matters most, where there are several."""
    if len(board.leveled) < 2:
        return ""
    first, *others = board.leveled
    shares = [effect for effect in board.leveled if effect.share is not None]
    if len(shares) < len(board.leveled):
        return f"{first.factor} moves the score most: the means of its levels lie {first.spread:.4f} apart. {UNTESTED}"
    more = "".join(f", {effect.factor} {share(effect)}" for effect in others)
    return f"{first.factor} explains most: {share(first)} of the variance of the scores{more}{_rest(board)}. {UNTESTED}"


def _rest(board: Board) -> str:
    """What the options explain only together, where all shares are of the same runs."""
    if any(effect.counted < effect.runs for effect in board.leveled):
        return ", each of its own runs"
    rest = 1 - math.fsum(effect.share or 0.0 for effect in board.leveled)
    return f"; {100 * max(0.0, rest):.0f} % lies in how they go together, or is chance"


def _mixed(effect: Effect) -> str:
    """Where its means do not rest on all runs, or not on like with like."""
    if not effect.balanced:
        what = "no combination of the other options finished at every level, so that these have their part in them"
        return f"The means of {effect.factor} are over all runs: {what}."
    if effect.counted == effect.runs:
        return ""
    what = f"{effect.counted} of {effect.runs} runs: those whose other options finished at every level"
    return f"The means of {effect.factor} are over {what}."


def _same_runs(result: SweepResult) -> list[str]:
    """Jobs that were said differently and are one run."""
    found: dict[str, list[int]] = {}
    for board in result.boards:
        for one in board.standings:
            found.setdefault(str(one.run.path), []).append(one.row.number)
    what = "are one run: nothing that changes a number differs between them."
    return [f"Jobs {', '.join(map(str, numbers))} {what}" for numbers in found.values() if len(numbers) > 1]


def last_lines(result: SweepResult) -> list[str]:
    """How the best of each board is trained again, and the sweep in one line."""
    again = [f"{SEEDS} seeds of the best{of}: {command}" for of, command in _agains(result)]
    return [*again, sweep_line(result)]


def _agains(result: SweepResult) -> list[tuple[str, str]]:
    several = len(result.boards) > 1
    return [(f" ({board.title})" if several else "", board.again) for board in result.boards if board.again]


def sweep_line(result: SweepResult) -> str:
    """The last line. Interrupted jobs are what is missing to `jobs`; `reused` are among the finished ones.

    `SWEEP: jobs=8 | finished=4 | reused=0 | failed=3 | refused=1 | pruned=0 | best=0.7452 | lead=+0.0123 | p=0.0200 | run=…`;
    the lead, with Holm's p, is that over the second run of the same question.
    """
    fields = {name: str(result.reused if name == "reused" else result.counts[name]) for name in COUNTED}
    return words.line(f"SWEEP: jobs={len(result.rows)}", {**fields, **_best_fields(result.best)})


def _best_fields(board: Board | None) -> dict[str, str]:
    if board is None or not math.isfinite(board.best.run.score):
        return {}
    pair = board.lead
    known = pair is not None and math.isfinite(pair.delta)
    lead = {"lead": f"{pair.delta:+.4f}", "p": words.p_written(pair.corrected)} if pair and known else {}
    return {"best": words.score(board.best.run.score), **lead, "run": board.best.run.name}
