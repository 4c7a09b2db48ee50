"""Labelers named on the command line: ``KIND:REST`` becomes a labeler."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, final

from taskspace.errors import SettingError, did_you_mean
from taskspace.labelers._labeler import Labeler, Reads, require_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from taskspace.labelers.prompts import Prompt, PromptFile, PromptModel
    from taskspace.labelers.store import AnswerStore

_TOML = re.compile(r"(.+?\.toml)(?::(.+))?", re.IGNORECASE)


@final
@dataclass(frozen=True)
class Loader:
    """Makes labelers of specs; see :func:`load_labeler`.

    A language model or endpoint is opened once for all prompts of one loader that ask it alike, and
    lives as long as the loader.
    """

    trust_pickle: bool = False
    reads: Reads | None = None
    device: str | None = None
    store: AnswerStore | None = None
    models: dict[str, PromptModel] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.reads is not None:
            require_reads(self.reads)

    def load(self, spec: str, *, name: str | None = None) -> Labeler:
        kind, colon, rest = spec.partition(":")
        if not colon or not rest:
            raise SettingError(
                f"labeler {spec!r} does not say KIND:WHAT; the kinds are {', '.join(f'{k}:' for k in _KINDS)}"
            )
        if kind not in _KINDS:
            raise SettingError(f"labeler {spec!r} is of unknown kind {kind!r}{did_you_mean(kind, _KINDS)}")
        return _KINDS[kind](_Spec(kind, rest), name, self)

    def model(self, file: PromptFile) -> PromptModel:
        """The language model or endpoint that a file of prompts names, opened once."""
        if file.model is None:
            raise SettingError(f'{file.path.name} names no model; say which (--model), or write model = "…" at its top')
        return _local(file, self) if file.base_url is None else _endpoint(file, file.base_url, self)


def load_labeler(
    spec: str,
    *,
    name: str | None = None,
    trust_pickle: bool = False,
    reads: Reads | None = None,
    device: str | None = None,
    store: AnswerStore | None = None,
) -> Labeler:
    """Make the labeler that ``spec`` names.

    * ``hub:ID_OR_FOLDER[@REVISION]``: see :func:`taskspace.labelers.from_hub`.
    * ``prompt:FILE.toml[:NAME]``: a prompt of that file (see :func:`taskspace.labelers.read_prompts`) put to the
      model or endpoint that the file names.  NAME may be left out where there is but one.
    * ``http://HOST/v1#FILE.toml[:NAME]`` (or ``https://``): the same prompt put to this endpoint;
      ``http:FILE.toml[:NAME]`` to that of the file, else of ``OPENAI_BASE_URL``.
    * ``predictions:FILE``: see :func:`taskspace.labelers.from_predictions`.
    * ``python:MODULE:NAME``: a function, an estimator or a labeler in an importable module, or in a
      ``.py`` file given by its path.  A function or estimator may carry ``reads``, ``version`` and
      ``batch_size`` as attributes.  Answers of a function that has a ``version`` are kept.
    * ``sklearn:FILE``: see :func:`taskspace.labelers.estimators.load_estimator`.

    ``reads`` says what a Hub classifier, function or estimator is given; ``device`` where models run;
    ``store`` where answers are kept.  Without ``name`` it is called after the file, the NAME or the id.

    Raises :class:`SettingError` when the spec cannot be understood and :class:`LabelerError` when what it
    names cannot be used.
    """
    return Loader(trust_pickle, reads, device, store).load(spec, name=name)


@dataclass(frozen=True)
class _Spec:
    """What was written; ``str`` of it is for messages."""

    kind: str
    rest: str

    def __str__(self) -> str:
        return repr(f"{self.kind}:{self.rest}")


def _hub(spec: _Spec, name: str | None, options: Loader) -> Labeler:
    from taskspace.labelers.hub import from_hub

    where, at, revision = spec.rest.rpartition("@")
    if not at or Path(spec.rest).expanduser().is_dir():
        where, revision = spec.rest, ""
    return from_hub(
        where, revision=revision or None, name=name, reads=options.reads, device=options.device, store=options.store
    )


def _predictions(spec: _Spec, name: str | None, options: Loader) -> Labeler:
    from taskspace.labelers.predictions import from_predictions

    if options.reads is not None:
        raise SettingError(f"labeler {spec} reads what it has rows for; leave --reads out")
    return from_predictions(spec.rest, name=name)


def _sklearn(spec: _Spec, name: str | None, options: Loader) -> Labeler:
    from taskspace.labelers.estimators import from_sklearn, load_estimator

    estimator = load_estimator(spec.rest, trust_pickle=options.trust_pickle)
    return from_sklearn(estimator, name=Path(spec.rest).stem if name is None else name, reads=options.reads or "texts")


def _python(spec: _Spec, name: str | None, options: Loader) -> Labeler:
    from taskspace.labelers._python import labeler_in

    where, colon, attribute = spec.rest.rpartition(":")
    if not colon or not where or not attribute:
        raise SettingError(f"labeler {spec} does not say python:MODULE:NAME; name what to use in the module")
    return labeler_in(where, attribute, name=name, reads=options.reads, store=options.store)


def _prompt(spec: _Spec, name: str | None, options: Loader) -> Labeler:
    file, prompt = _prompt_of(spec, spec.rest)
    return _prompted(prompt, options.model(file), name, options)


def _http(spec: _Spec, name: str | None, options: Loader) -> Labeler:
    base_url: str | None = None
    where = spec.rest
    if where.startswith("//"):
        address, _, where = spec.rest.partition("#")
        base_url = f"{spec.kind}:{address}"
        if not where:
            raise SettingError(f"labeler {spec} does not say what to ask; name a file of prompts, {base_url}#FILE.toml")
    file, prompt = _prompt_of(spec, where)
    return _prompted(prompt, _endpoint(file, base_url or file.base_url, options), name, options)


_Kind: TypeAlias = "Callable[[_Spec, str | None, Loader], Labeler]"

_KINDS: dict[str, _Kind] = {
    "hub": _hub,
    "prompt": _prompt,
    "http": _http,
    "https": _http,
    "predictions": _predictions,
    "python": _python,
    "sklearn": _sklearn,
}


def _prompt_of(spec: _Spec, rest: str) -> tuple[PromptFile, Prompt]:
    """``FILE.toml[:NAME]``, or the name of a packaged set in place of the file."""
    from taskspace.labelers.prompts import read_prompts

    match = _TOML.fullmatch(rest)
    where, name = match.groups() if match else (rest.partition(":")[0], rest.partition(":")[2] or None)
    file = read_prompts(where)
    if file.model is None:
        remedy = "add one" if Path(where).is_file() else "copy them to a file and add one"
        raise SettingError(f'the prompts of {where} name no model; {remedy} at the top, model = "…"')
    if name is not None:
        return file, file.named(name)
    if len(file.prompts) != 1:
        names = [prompt.name for prompt in file.prompts]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise SettingError(f"{where} holds {len(names)} prompts ({shown}); say which, as in {where}:{names[0]}")
    return file, file.prompts[0]


def _prompted(prompt: Prompt, model: PromptModel, name: str | None, options: Loader) -> Labeler:
    from taskspace.labelers.prompts import from_prompt

    if options.reads not in (None, prompt.reads):
        raise SettingError(f"prompt {prompt.name!r} reads {prompt.reads}, as its template says; leave --reads out")
    return from_prompt(prompt, model, name=name, store=options.store)


def _local(file: PromptFile, options: Loader) -> PromptModel:
    from taskspace.labelers.language_models import load_language_model

    assert file.model is not None  # noqa: S101  # looked at before
    device, dtype = options.device or file.device, file.dtype or "auto"
    key = json.dumps(["local", file.model, file.revision, device, dtype])
    if key not in options.models:
        options.models[key] = load_language_model(file.model, revision=file.revision, device=device, dtype=dtype)
    return options.models[key]


def _endpoint(file: PromptFile, base_url: str | None, options: Loader) -> PromptModel:
    from taskspace.labelers.endpoints import open_endpoint

    assert file.model is not None  # noqa: S101  # looked at before
    known = set(inspect.signature(open_endpoint).parameters) - {"base_url", "model", "transport"}
    for setting in file.endpoint:
        if setting not in known:
            raise SettingError(f"{file.path.name} sets an unknown endpoint.{setting}{did_you_mean(setting, known)}")
    key = json.dumps(["endpoint", base_url, file.model, dict(file.endpoint)], sort_keys=True, default=str)
    if key not in options.models:
        options.models[key] = open_endpoint(base_url, model=file.model, **file.endpoint)
    return options.models[key]
