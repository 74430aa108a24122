"""What can be done with a sentence beside training: one module a job, each with a function `run`."""
