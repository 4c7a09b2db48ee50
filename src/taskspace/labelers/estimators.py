"""scikit-learn estimators as labelers, and the files they are kept in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from taskspace._extras import installed, require
from taskspace.errors import LabelerError, MissingExtra
from taskspace.labelers._answers import to_answers
from taskspace.labelers._content import content_hash, qualified_name
from taskspace.labelers._labeler import LabelerKind, Reads, first_line, require_name, require_reads, running
from taskspace.labelers._origin import labeler_origin
from taskspace.labelers._rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskspace.labels import Answers
    from taskspace.task import Inputs

_PICKLES = (".joblib", ".pkl", ".pickle")


@dataclass(frozen=True, eq=False)
class EstimatorLabeler:
    """A fitted estimator that reads texts; made by :func:`from_sklearn`.

    Its answers are not kept: it runs here, and answers a pool sooner than a store is read.
    """

    name: str
    estimator: Any = field(repr=False)
    reads: Reads
    output: Literal["probabilities", "labels", "numbers"]
    fingerprint: str
    provenance: Mapping[str, Any]
    kind: LabelerKind = "model"

    def answer(self, inputs: Inputs) -> Answers:
        """One call for all rows."""
        who = labeler_origin(self.name)
        method = self.estimator.predict_proba if self.output == "probabilities" else self.estimator.predict
        given = _as_given(inputs, self.reads)
        output = running(lambda: method(given), f"{who} failed on {len(given)} texts (it must read raw texts)")
        rows = rows_of(_one_output(output, self.output, str(who)), len(given), str(who))
        return to_answers(rows, who, "numbers" if self.output == "numbers" else None)


def from_sklearn(estimator: Any, *, name: str, reads: Reads = "texts") -> EstimatorLabeler:
    """Make a labeler of a fitted estimator that takes raw texts: a pipeline that starts with a vectorizer.

    ``predict_proba`` is used where there is one, else ``predict``: labels, or real numbers if it is a
    regressor.  One that reads pairs gets two columns, ``[[text, second], …]``, as a ``ColumnTransformer``
    takes them; with ``reads="both"`` the second is ``""`` for a single text.

    The fingerprint is a hash of the fitted state: the same for the same estimator in another process
    or read from another file format.

    Raises :class:`LabelerError` if it is not an estimator, or not fitted.
    """
    require_name(name)
    require_reads(reads)
    if isinstance(estimator, type) or not (hasattr(estimator, "predict") or hasattr(estimator, "predict_proba")):
        what = f"class {estimator.__name__}" if isinstance(estimator, type) else type(estimator).__name__
        raise LabelerError(
            f"labeler {name!r} is a {what}, not a fitted estimator: it cannot predict; fit one and give that"
        )
    _require_fitted(estimator, name)
    output = _output_of(estimator)
    provenance = {"source": "estimator", "estimator": _described(estimator), "output": output}
    return EstimatorLabeler(name, estimator, reads, output, content_hash(estimator, reads, deep=True), provenance)


def load_estimator(path: str | Path, *, trust_pickle: bool = False) -> Any:
    """Read an estimator from a ``.skops`` file, or with ``trust_pickle`` from ``.joblib``, ``.pkl`` or ``.pickle``.

    Unpickling runs code of the file's writer, so it is refused unless trusted; so are types in a
    ``.skops`` file that neither skops nor scikit-learn vouches for.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix not in (".skops", *_PICKLES):
        raise LabelerError(
            f"{file} is not a file of an estimator; .skops, {', '.join(_PICKLES)} are known by their ending"
        )
    if not file.is_file():
        raise LabelerError(f"there is no file {file}; check the path")
    if suffix != ".skops" and not trust_pickle:
        raise LabelerError(
            f"{file} is a pickle, which can run any code when it is read; "
            f"pass --trust-pickle if you trust where it came from, or save the estimator with skops (.skops)"
        )
    try:
        estimator = _read_skops(file, trust_pickle) if suffix == ".skops" else _read_pickle(file)
    except (LabelerError, MissingExtra):
        raise
    except Exception as error:  # readers of pickles raise anything
        raise LabelerError(f"{file} cannot be read as an estimator ({first_line(error)}); save it again") from error
    if isinstance(estimator, type) or not hasattr(estimator, "predict"):
        raise LabelerError(
            f"{file} holds a {type(estimator).__name__}, not an estimator that predicts; save a fitted one"
        )
    return estimator


def _read_skops(file: Path, trust: bool) -> Any:
    io = require("skops.io", extra="sklearn", why="reading a .skops file")
    unknown = [str(name) for name in io.get_untrusted_types(file=file)]
    if unknown and not trust:
        raise LabelerError(
            f"{file} holds types that are not known to be safe ({', '.join(unknown)}); "
            f"pass --trust-pickle if you trust where it came from"
        )
    return io.load(file, trusted=unknown)


def _read_pickle(file: Path) -> Any:
    return require("joblib", extra="sklearn", why="reading a pickled estimator").load(file)


def _require_fitted(estimator: Any, name: str) -> None:
    if not installed("sklearn") or not hasattr(estimator, "get_params"):
        return
    validation = require("sklearn.utils.validation", extra="sklearn", why="a scikit-learn labeler")
    exceptions = require("sklearn.exceptions", extra="sklearn", why="a scikit-learn labeler")
    try:
        validation.check_is_fitted(estimator)
    except exceptions.NotFittedError as error:
        raise LabelerError(f"labeler {name!r} ({_described(estimator)}) is not fitted; call its fit first") from error
    except (TypeError, AttributeError):  # not of scikit-learn's own kind: nothing can be said
        return


def _output_of(estimator: Any) -> Literal["probabilities", "labels", "numbers"]:
    if hasattr(estimator, "predict_proba"):
        return "probabilities"
    return "numbers" if _is_regressor(estimator) else "labels"


def _is_regressor(estimator: Any) -> bool:
    if not installed("sklearn") or not hasattr(estimator, "get_params"):
        return False
    base = require("sklearn.base", extra="sklearn", why="a scikit-learn labeler")
    return bool(base.is_regressor(estimator))


def _one_output(output: Any, form: str, who: str) -> Any:
    """Refuse answers to several questions at once; a column of labels or numbers counts as a list."""
    if isinstance(output, list) and form == "probabilities" and output and getattr(output[0], "ndim", 0) == 2:
        raise LabelerError(f"{who} answers {len(output)} questions at once; give an estimator with one output")
    shape = np.shape(output) if form != "probabilities" else ()
    if len(shape) != 2:
        return output
    if shape[1] != 1:
        raise LabelerError(f"{who} predicts {shape[1]} values per text; give an estimator with one output")
    return np.ravel(output)


def _described(estimator: Any) -> str:
    return qualified_name(type(estimator))


def _as_given(inputs: Inputs, reads: Reads) -> list[Any]:
    if reads == "texts":
        return list(inputs.texts)
    return [[text, pair or ""] for text, pair in zip(inputs.texts, inputs.pairs, strict=True)]
