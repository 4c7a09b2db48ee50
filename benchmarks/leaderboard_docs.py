"""Fill the tables of a page from the leaderboards in results/.

Between `<!-- NAME.md: SECTION -->` and `<!-- end -->` stands the first table of that section of results/NAME.md; the
section is a heading without its marks, or `orders` for the table at the top.  `SECTION, first N` keeps N rows.

    python benchmarks/leaderboard_docs.py docs/leaderboard.md
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from _common import RESULTS

_MARK = re.compile(
    r"<!-- (?P<file>\S+\.md): (?P<section>[^,\n]+?)(?:, first (?P<rows>\d+))? -->\n.*?<!-- end -->", re.S
)


def table(text: str, section: str, rows: int | None) -> str:
    """The lines of the first table below a heading."""
    parts = re.split(r"^## ", text, flags=re.M)
    below = parts[0] if section == "orders" else next(part for part in parts[1:] if part.startswith(section))
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return "\n".join(lines if rows is None else lines[: rows + 2])


def filled(page: str, results: Path) -> str:
    """The page with every table as it stands in the results."""

    def put(mark: re.Match[str]) -> str:
        text = (results / mark["file"]).read_text(encoding="utf-8")
        found = table(text, mark["section"], int(mark["rows"]) if mark["rows"] else None)
        return f"{mark[0].splitlines()[0]}\n\n{found}\n\n<!-- end -->"

    return _MARK.sub(put, page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path)
    for page in parser.parse_args().pages:
        page.write_text(filled(page.read_text(encoding="utf-8"), RESULTS), encoding="utf-8")


if __name__ == "__main__":
    main()
