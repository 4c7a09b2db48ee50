from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from taskspace.errors import SettingError
from taskspace.ranking.divergences import DIVERGENCES, divergence_named, equal_samples, terms_of

TASKS = Path(__file__).parents[3] / ".." / "shared" / "data" / "tasks"
WIDTH = 64
ABOUT_ZERO = {"mmd": 0.02, "gzip": 0.1, "frechet": 1e-6}
"""How far a corpus may be from itself."""


def view(divergence, texts):
    """What the divergence is of; as features, counts in few buckets at length 1."""
    if divergence.of == "texts":
        return texts
    if divergence.of == "terms":
        return terms_of(texts)
    rows = np.stack([terms_of([text], buckets=WIDTH).counts for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def sentences(words, count, seed):
    draw = random.Random(seed)
    return [" ".join(draw.choices(words, k=draw.randint(4, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def corpora():
    """A target, a source that says the same things, and one that mostly says others."""
    shared = ["the", "a", "we", "saw", "it", "very", "much", "today"]
    weather, kitchen = (
        [*shared, *words.split()] for words in ("rain snow wind storm fog", "flour oven salt bowl dough")
    )
    return sentences(weather, 300, 0), sentences(weather, 300, 1), sentences(kitchen, 300, 2)


def test_the_names():
    assert list(DIVERGENCES) == [
        "kl", "renyi", "jensen_shannon", "bhattacharyya", "hellinger", "term_cosine", "vocabulary_overlap", "frechet",
        "mmd", "energy", "sliced_wasserstein", "coral", "proxy_a", "gzip",
    ]  # fmt: skip
    assert all(divergence_named(name).name == name for name in DIVERGENCES)
    with pytest.raises(SettingError, match="no divergence 'hellingr'; did you mean 'hellinger'?"):
        divergence_named("hellingr")


@pytest.mark.parametrize("divergence", DIVERGENCES.values(), ids=DIVERGENCES.keys())
class TestEach:
    def test_lower_is_nearer(self, divergence, corpora):
        target, near, far = (view(divergence, texts) for texts in corpora)
        assert divergence(target, near) < divergence(target, far)

    def test_a_corpus_is_at_about_0_from_itself(self, divergence, corpora):
        target = view(divergence, corpora[0])
        assert divergence(target, view(divergence, corpora[0][::-1])) == pytest.approx(
            0, abs=ABOUT_ZERO.get(divergence.name, 1e-9)
        )

    def test_symmetric_where_it_says_so(self, divergence, corpora):
        target, _, far = (view(divergence, texts) for texts in corpora)
        there, back = divergence(target, far), divergence(far, target)
        assert (there == pytest.approx(back, rel=1e-9)) == divergence.symmetric

    def test_shuffling_a_file_changes_nothing(self, divergence, corpora):
        target, far = corpora[0], corpora[2]
        mixed = random.Random(0).sample(far, len(far))
        before = divergence(view(divergence, target), view(divergence, far))
        assert divergence(view(divergence, target), view(divergence, mixed)) == before

    def test_halves_of_one_data_set_are_nearer_than_two(self, divergence):
        target, near, far = real_corpora()
        target, near = equal_samples(target, near, 300)
        far, _ = equal_samples(far, far, 300)
        assert divergence(view(divergence, target), view(divergence, near)) < divergence(
            view(divergence, target), view(divergence, far)
        )


def real_corpora():
    files = [TASKS / name / "train.jsonl.gz" for name in ("ag_news", "airline_tweets")]
    if not all(file.exists() for file in files):
        pytest.skip("the shared task data are not there")
    news, tweets = (
        [json.loads(line)["text"] for line in gzip.decompress(file.read_bytes()).decode().splitlines()[:1200]]
        for file in files
    )
    return news[::2], news[1::2], tweets
