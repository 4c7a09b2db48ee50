"""The published tables, each with a cell read off its file by eye."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace.ranking.history import source_prior


def test_in_context_transfers(published):
    table = published("bento_mmlu.csv")
    assert table.scores.shape == (57, 57, 1)
    assert not np.isnan(table.scores).any()
    assert not table.has_baseline
    assert table.self_cells.sum() == 57
    assert table.column("astronomy")[table.sources.index("abstract_algebra")] == 0.531579  # line 4


def test_model_recycling(published):
    table = published("model_recycling_roberta_base.csv.gz")
    assert table.scores.shape == (386, 37, 1)
    assert table.metric == "score"  # accuracy, spearman and a linear probe
    s, t = table.sources.index("123tarunanand/roberta-base-finetuned"), table.targets.index("ag_news")
    np.testing.assert_allclose(table.gain[s, t], 90 - 89.7683)  # line 3
    # The linear probe is no data set and has no baseline.
    assert np.isnan(table.gain[:, table.targets.index("mnli_lp")]).all()
    kept = table.without_target("mnli_lp")
    assert kept.scores.shape == (386, 36, 1)
    assert not np.isnan(kept.gain).any()


@pytest.mark.parametrize(
    ("model", "sources", "targets", "score", "baseline"),
    [("roberta-base", 15, 14, 0.5706, 0.5058), ("t5-small", 18, 17, 0.6577, 0.7098)],  # lines 3 and 213
)
def test_prompt_transfer(published, model, sources, targets, score, baseline):
    table = published("prompt_transfer.csv", model=model)
    assert table.scores.shape == (sources, targets, 1)
    s, t = table.sources.index("MNLI"), table.targets.index("IMDB")
    np.testing.assert_allclose([table.mean[s, t], table.gain[s, t]], [score, score - baseline])
    # The untrained prompt is the baseline: as a source it gains nothing anywhere.
    np.testing.assert_allclose(table.gain[table.sources.index("random")], 0, atol=1e-12)
    alone = published("prompt_transfer.csv", model=model, none="random")
    assert "random" not in alone.sources
    np.testing.assert_array_equal(alone.baseline, table.baseline)


def test_a_prior_over_a_whole_table_is_centred(published):
    """On a complete table every column sums to 0 over the sources, so the prior does too."""
    table = published("model_recycling_roberta_base.csv.gz").without_target("mnli_lp")
    prior = source_prior(table, "stsb")
    assert prior.shape == (386,)
    np.testing.assert_allclose(prior.sum(), 0, atol=1e-9)
    assert prior.std() > 0.1
