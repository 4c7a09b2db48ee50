"""The addresses, a file per subject; each route is a question of :mod:`taskspace.serve.answers`."""
