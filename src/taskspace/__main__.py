"""``python -m taskspace`` is the ``taskspace`` command."""

from __future__ import annotations

from taskspace.cli import main

if __name__ == "__main__":
    main()
