"""What is wrong with the rows: leaks into held-out data, repetitions, contradictions, negatives that are positives."""
