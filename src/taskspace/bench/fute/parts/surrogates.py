"""Which surrogate: the study's own, a part of it, one that has learned nothing, and encoder-decoders made here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskspace.bench.fute.encoders import first_layers, forgotten, tiny_t5
from taskspace.bench.fute.parts._kin import kin_and_transfers, kin_beside_transfers, single_tasks, strangers
from taskspace.bench.fute.parts._part import Part
from taskspace.surrogates import load_surrogate
from taskspace.task import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from taskspace.bench.fute.judging import Judge
    from taskspace.bench.fute.parts._part import Kept
    from taskspace.bench.fute.study import Study
    from taskspace.prompting.study.rows import Row
    from taskspace.surrogates import Surrogate

OWN, HALF, RANDOM = "the study's own", "its lower half", "its shape, random weights"
T5_RANDOM, T5 = "tiny T5, random weights", "tiny T5, trained here"
_BY = ("surrogate", "kind", "layers", "width")


def measure(study: Study, kept: Kept) -> Iterator[tuple[str, list[Row]]]:
    """As for pools, by base model."""
    missing = [label for label in (OWN, HALF, RANDOM, T5_RANDOM, T5) if label not in kept]
    models = strangers(study, single_tasks(study) if missing else ())
    texts = study.corpus.draw(2 * study.plan.domain_size, study.tasks.letters(study.plan.names))
    for label in missing:
        study.tell(f"surrogates: {label}")
        surrogate = surrogate_of(study, label)
        about = {
            "setting": label, "surrogate": label, "kind": surrogate.kind, "layers": max(surrogate.layers),
            "width": surrogate.hidden,
        }  # fmt: skip
        space = study.space("response", Pool(texts), surrogate)
        yield label, kin_and_transfers(study, space, models, about)


def surrogate_of(study: Study, label: str) -> Surrogate:
    """The base model of that label, made in the study's folder where it is not there yet."""
    own = study.surrogate
    if label == OWN:
        return own
    folder = study.folder / "surrogates" / label.replace(" ", "-").replace(",", "")
    if not (folder / "config.json").is_file():
        _make(study, label, folder)
    return load_surrogate(folder, max_length=own.max_length, device=own.device)


def _make(study: Study, label: str, folder: Path) -> None:
    if label == HALF:
        first_layers(study.surrogate, folder)
    elif label == RANDOM:
        forgotten(study.surrogate, folder, seed=study.plan.seed)
    else:
        texts = list(study.corpus.places)
        steps = 0 if label == T5_RANDOM else study.plan.t5_steps
        tiny_t5(texts, folder, steps=steps, seed=study.plan.seed, tell=study.tell)


def tables(rows: Sequence[Row], judge: Judge | None) -> dict[str, list[Row]]:
    """A row per base model."""
    return {"surrogates": kin_beside_transfers(rows, judge, _BY)}


PART = Part(
    "surrogates",
    "Other surrogates",
    "As above, over one pool: the same tasks and models through other base models. The T5s are made here, of little "
    "more than a million weights; one has learned for a few minutes to restore masked words of the unlabelled texts.",
    measure,
    tables,
    ("surrogates",),
)
