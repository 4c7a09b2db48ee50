"""Which column is the text, the second text and the label: guessed from the usual names, or said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskspace.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskspace.labels import LabelKind

PAIRS = (
    ("text", "text_pair"), ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sentence_a", "sentence_b"),
    ("premise", "hypothesis"), ("question1", "question2"), ("question_1", "question_2"), ("text1", "text2"),
    ("text_1", "text_2"), ("text_a", "text_b"), ("question", "sentence"), ("question", "passage"),
    ("question", "context"), ("query", "passage"), ("query", "document"), ("claim", "evidence"),
)  # fmt: skip
TEXTS = (
    "text", "sentence", "content", "review", "review_text", "review_body", "tweet", "comment", "comment_text",
    "utterance", "message", "sms", "post", "document", "article", "passage", "body", "question", "query", "headline",
    "title", "abstract", "description", "input",
)  # fmt: skip
# Names stand before codes, so that a column of names is taken where a file has both.
LABELS = (
    "label_name", "label_text", "label_names", "class_name", "gold_label", "label", "labels", "target", "class",
    "category", "intent", "sentiment", "emotion", "topic", "coarse_label", "fine_label", "is_duplicate", "score",
    "similarity_score", "rating", "stars", "polarity", "y",
)  # fmt: skip
NUMBERS = ("score", "similarity_score", "label", "labels", "target", "rating", "stars", "y")
TARGETS = ("target_text", "target", "answer", "summary", "output", "response", "completion", "translation", "label")


@dataclass(frozen=True)
class Columns:
    """The columns that make a task; ``text_pair`` and ``label`` are ``None`` where there is none."""

    text: str
    text_pair: str | None = None
    label: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are read."""
        return tuple(c for c in (self.text, self.text_pair, self.label) if c is not None)


def choose_texts(
    what: str, columns: Sequence[str], *, text: str | None = None, text_pair: str | None = None
) -> Columns:
    """Find the text columns.  ``text`` said alone means one text per row; nothing said means guess both.

    Raises :class:`DataError` naming the columns there are.
    """
    if not columns:
        raise DataError(f"{what} has no rows; give at least two")
    _check(what, columns, {"text": text, "text_pair": text_pair})
    if text is not None:
        return Columns(text, text_pair)
    known = _by_plain_name(columns)
    if text_pair is None and "text" in known and "text_pair" not in known:
        return Columns(known["text"])
    for first, second in PAIRS:
        if first in known and second in known and text_pair in (None, known[second]):
            return Columns(known[first], known[second])
    for name in TEXTS:
        if name in known and known[name] != text_pair:
            return Columns(known[name], text_pair)
    raise DataError(
        f"no column of {what} has a usual name for texts; {_listed(columns)}, say which with text= (--text)"
    )


def choose(
    what: str,
    columns: Sequence[str],
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    kind: LabelKind | None = None,
) -> Columns:
    """Find the columns of a labelled task; target texts such as ``answer`` count only with ``kind="targets"``.

    Raises :class:`DataError` naming the columns there are.
    """
    texts = choose_texts(what, columns, text=text, text_pair=text_pair)
    _check(what, columns, {"label": label})
    if label is None:
        known = _by_plain_name([c for c in columns if c not in texts.names])
        usual = {"numbers": NUMBERS, "targets": TARGETS}.get(kind or "", LABELS)
        label = next((known[name] for name in usual if name in known), None)
    if label is None:
        raise DataError(
            f"no column of {what} has a usual name for labels; {_listed(columns)}, say which with label= (--label)"
        )
    if label in texts.names:
        raise DataError(f"column {label!r} of {what} cannot be both text and label; say text= and label= apart")
    return Columns(texts.text, texts.text_pair, label)


def _check(what: str, columns: Sequence[str], said: dict[str, str | None]) -> None:
    for option, name in said.items():
        if name is not None and name not in columns:
            flag = option.replace("_", "-")
            raise DataError(f"{what} has no column {name!r} for --{flag}{did_you_mean(name, map(str, columns))}")


def _by_plain_name(columns: Sequence[str]) -> dict[str, str]:
    """``"Text Pair"`` and ``"text-pair"`` are found as ``text_pair``; the first of two alike wins."""
    plain: dict[str, str] = {}
    for name in columns:
        plain.setdefault(str(name).strip().casefold().replace(" ", "_").replace("-", "_"), name)
    return plain


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(str(c)[:40]) for c in columns[:12])
    return f"it has {shown}" + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")
