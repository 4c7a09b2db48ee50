"""The answers as OpenAPI tells of them, so that a client can be generated; nothing is computed here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

KindName = Literal["dataset", "model", "prompt", "adapter"]
Fingerprint = Annotated[str, Field(description="SHA-256 of all that makes a space what it is.")]
Generation = Annotated[str, Field(description="Names one state of a space: another one after any write there.")]
Content = Annotated[str, Field(description="Fingerprint of what was embedded.")]
Provenance = Annotated[
    dict[str, Any], Field(description="Where it came from: rows, classes, skill, version and so on.")
]


class ErrorDetail(BaseModel):
    """What went wrong."""

    kind: str = Field(description="The class of the error.", examples=["UnknownName"])
    sentence: str = Field(description="What was seen, and what to do.")


class Error(BaseModel):
    """Every answer with a status from 400 on."""

    error: ErrorDetail


class Health(BaseModel):
    """That the service is up, and the state of each space: what was derived from another state is stale."""

    status: Literal["ok"]
    version: str
    atlas: str = Field(description="The atlas by its name alone.")
    entries: int = Field(ge=0, description="Embeddings in all spaces.")
    generations: dict[str, str] = Field(description="The generation of each space, by fingerprint.")


class Space(BaseModel):
    """What must be equal before two embeddings may be compared, and how many there are."""

    fingerprint: Fingerprint
    learner: str
    surrogate: str = Field(description="The base model; of one in a folder, the folder's name.")
    revision: str
    pool_size: int
    seed: int
    entries: int = Field(ge=0)
    kinds: dict[str, int] = Field(description="Entries of each kind.")
    generation: Generation


class Spaces(BaseModel):
    """Oldest first."""

    spaces: list[Space]


class Family(BaseModel):
    """Tasks that stand together."""

    name: str
    size: int


class TaskMap(BaseModel):
    """Columns of equal length, one value per task."""

    space: Fingerprint
    generation: Generation
    method: str
    neighbours: int
    kept: float | None = Field(
        description="Share of each task's nearest in the space that are among its nearest on the map, on average."
    )
    kept_of: int | None = Field(description="Of how many tasks that was measured.")
    chance: float | None = Field(description="What `kept` would be were the points strewn at random.")
    explained: list[float] | None = Field(description="For PCA, the share of variance along x and y.")
    names: list[str]
    kinds: list[str] = Field(description="Names of kinds.")
    kind: list[int] = Field(description="Index into `kinds`.")
    x: list[float]
    y: list[float]
    informative: list[int] = Field(description="0 where the embedding says nothing.")
    families: list[Family]
    family: list[int] = Field(description="Index into `families`; -1 for none.")


class Similarities(BaseModel):
    """Cosines among some tasks, clustered."""

    names: list[str] = Field(description="In clustered order.")
    kinds: list[str] = Field(description="The kind of each.")
    values: list[list[float]] = Field(description="Row and column in the order of `names`.")
    merges: list[list[float]] = Field(description="Rows of SciPy's linkage: two clusters, height, tasks in it.")
    of: int = Field(description="How many tasks there are to choose from.")


class TaskLine(BaseModel):
    """One of a list."""

    name: str
    kind: KindName
    space: Fingerprint
    content: Content


class Tasks(BaseModel):
    """A part of those that fit."""

    total: int = Field(ge=0, description="How many fit.")
    tasks: list[TaskLine]


class Card(BaseModel):
    """All that is stored of a task besides its numbers."""

    name: str
    kind: KindName
    space: Fingerprint
    content: Content
    added: str = Field(description="UTC, ISO 8601.")
    dims: int = Field(description="How many numbers.")
    informative: bool = Field(description="False where the embedding says nothing.")
    provenance: Provenance


class Gain(BaseModel):
    """What starting there is expected to add, in the units of the measured scores; 90 % interval."""

    mean: float | None
    low: float | None
    high: float | None
    helps: float | None = Field(description="Probability that it adds anything.")


class Hit(BaseModel):
    """One candidate."""

    rank: int
    name: str
    kind: KindName | Literal["none"] = Field(description='"none" is not transferring.')
    score: float | None = Field(description="What `measure` says.")
    gain: Gain | None = Field(description="Null while uncalibrated.")
    signals: dict[str, float | None] = Field(description="What it was read off from, each in its own unit.")
    parts: dict[str, float | None] = Field(description="What each signal adds to the score.")
    content: str
    provenance: Provenance


class Ranking(BaseModel):
    """Candidates for a target, best first."""

    target: str
    measure: str = Field(description="What a score is, and what it is not.")
    calibrated: bool = Field(description="Whether scores are predicted gains.")
    notes: list[str] = Field(description="What was left out, put last or tied.")
    hits: list[Hit]


class MeanTransfer(BaseModel):
    """Measured runs of one source, target and metric, averaged."""

    source: str
    target: str
    gain: float | None = Field(description="Score less baseline, of the runs that state one.")
    score: float
    baseline: float | None = Field(description="Score without the source.")
    metric: str
    runs: int = Field(ge=1)


class Transfers(BaseModel):
    """A part of those that fit."""

    total: int = Field(ge=0, description="How many fit.")
    transfers: list[MeanTransfer]


class Comparison(BaseModel):
    """Two tasks beside each other."""

    similarity: float = Field(description="Cosine.")
    first: Card
    second: Card
    shared: list[str] = Field(description="Names among both ones' 10 nearest.")
    transfers: list[MeanTransfer] = Field(description="Those measured between the two.")


class Accepted(BaseModel):
    """A job to ask about later."""

    job: str
    status: Literal["queued", "running", "done", "failed"]
    at: str = Field(description="Where to ask.")


class MadeEmbedding(BaseModel):
    """An embedding that was made for the client and is stored nowhere."""

    name: str
    kind: KindName
    space: Fingerprint
    content: Content
    dims: int
    informative: bool
    provenance: Provenance
    blocks: list[tuple[str, int]] = Field(description="Name and length of each consecutive part of the vector.")
    vector: list[float]


class Job(BaseModel):
    """What became of a job."""

    job: str
    status: Literal["queued", "running", "done", "failed"]
    problem: str | None = Field(description="Why it failed, in one sentence.")
    embedding: MadeEmbedding | None
    ranking: Ranking | None
