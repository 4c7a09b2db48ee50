"""``taskspace bench``: one file per study."""
