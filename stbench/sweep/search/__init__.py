"""A search: sentences drawn one after another from what was said, each where the scores of those before it promise most."""
