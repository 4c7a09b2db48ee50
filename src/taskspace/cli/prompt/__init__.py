"""``taskspace prompt``: soft prompts tuned, added, compared, and brought in and out; one file per verb."""
