"""One page about a target that a person can send to a colleague."""
