"""From per-sample scores to one line: the paired test, its judgement, how it is written, what to try next."""
