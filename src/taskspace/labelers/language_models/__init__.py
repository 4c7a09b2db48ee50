"""Language models that run here: exact log-probabilities of answer strings, and greedy generation."""
