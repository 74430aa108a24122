"""Many runs: a grid or a search of sentences, several at a time, each in a process of its own."""
