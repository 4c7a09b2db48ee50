"""The page as one HTML file: styles, modules and data inlined, nothing else allowed to run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from taskspace._plain import finite
from taskspace.page._assets import assets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATA_ID = "atlas-data"
"""Where the front end looks for an inlined document before it asks a server."""

_STYLE = re.compile(r'<link rel="stylesheet" href="static/(?P<path>[^"]+)">')
_ICON = re.compile(r'<link rel="icon" href="static/(?P<path>[^"]+)">\n?')
_SCRIPT = re.compile(r'<script (?:type="(?P<kind>module)" )?src="static/(?P<path>[^"]+)"></script>')
_IMPORT = re.compile(r'^import \{(?P<names>[^}]*)\} from "\./(?P<path>[^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (?P<name>\w+))", re.M)


def standalone(document: Mapping[str, Any]) -> str:
    """The front end with ``document`` (see :func:`document_of`) inside, to be opened from disk or sent by mail.

    Its Content-Security-Policy admits the inlined styles and scripts by their hashes, and no request at all.
    """
    page = _ICON.sub("", _text("index.html"))
    styles: list[str] = []
    scripts: list[str] = []

    def style(match: re.Match[str]) -> str:
        styles.append(_text(match["path"]))
        return f"<style>{styles[-1]}</style>"

    def script(match: re.Match[str]) -> str:
        path = match["path"]
        scripts.append(bundle(path) if match["kind"] else _text(path))
        opening = '<script type="module">' if match["kind"] else "<script>"
        return f"{opening}{scripts[-1]}</script>"

    page = _SCRIPT.sub(script, _STYLE.sub(style, page))
    policy = f"default-src 'none'; style-src {_hashes(styles)}; script-src {_hashes(scripts)}; base-uri 'none'"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    data = f'<script type="application/json" id="{DATA_ID}">{harmless(document)}</script>'
    return page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{meta}', 1).replace(
        "</body>", f"{data}\n</body>", 1
    )


def harmless(document: Mapping[str, Any]) -> str:
    """JSON that no HTML parser takes for markup: a name may hold ``</script>``."""
    text = json.dumps(finite(document), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def bundle(entry: str) -> str:
    """One script from the ES module ``entry`` and all it imports, each module in a function of its own.

    The modules keep to named imports of neighbouring files and to exported declarations, so this takes two
    substitutions and no parser.
    """
    order = list(_in_order(entry, []))
    number = {path: f"module{i}" for i, path in enumerate(order)}
    return "\n".join(f"const {number[path]} = (() => {{\n{_wrapped(path, number)}}})();" for path in order)


def _in_order(path: str, done: list[str]) -> Iterator[str]:
    """Each module after those it imports."""
    for match in _IMPORT.finditer(_text(path)):
        yield from _in_order(_beside(path, match["path"]), done)
    if path not in done:
        done.append(path)
        yield path


def _wrapped(path: str, number: Mapping[str, str]) -> str:
    text = _text(path)
    names = [match["name"] for match in _EXPORT.finditer(text)]

    def taken(match: re.Match[str]) -> str:
        wanted = re.sub(r"\s+as\s+", ": ", match["names"]).strip()
        return f"const {{ {wanted} }} = {number[_beside(path, match['path'])]};\n"

    return f"{_EXPORT.sub('', _IMPORT.sub(taken, text))}return {{ {', '.join(names)} }};\n"


def _beside(path: str, other: str) -> str:
    return f"{path.rpartition('/')[0]}/{other}"


def _text(path: str) -> str:
    return assets()[path][1].decode()


def _hashes(parts: list[str]) -> str:
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts]
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
