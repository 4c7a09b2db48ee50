"""Means over runs, against sums by hand."""

from __future__ import annotations

import pytest

from taskspace.ranking.history import MeanTransfer, Row, Transfers, mean_transfers


def test_runs_are_averaged_by_source_target_and_metric():
    rows = [
        Row("b", "t", 0.9, 0.5, 0, "accuracy"),
        Row("b", "t", 0.8, 0.6, 1, "accuracy"),
        Row("b", "t", 0.7, None, 2, "accuracy"),
        Row("b", "t", 12.0, 3.0, 0, "perplexity"),
        Row("a", "t", 0.25, None, None, "accuracy"),
        Row("b", "s", 0.5, 0.75, 0, "accuracy"),
    ]
    assert mean_transfers(iter(rows)) == [
        MeanTransfer("a", "t", None, 0.25, None, "accuracy", 1),
        MeanTransfer("b", "s", -0.25, 0.5, 0.75, "accuracy", 1),
        # Gains 0.4 and 0.2 of the two runs that state a baseline; the score is that of all three.
        MeanTransfer("b", "t", pytest.approx(0.3), pytest.approx(0.8), pytest.approx(0.55), "accuracy", 3),
        MeanTransfer("b", "t", 9.0, 12.0, 3.0, "perplexity", 1),
    ]


def test_nothing_measured_has_no_means():
    assert mean_transfers([]) == []


def test_where_every_run_states_its_baseline_the_table_says_the_same():
    rows = [
        Row(source, target, 0.5 + 0.1 * seed + 0.03 * i, 0.4 + 0.05 * seed, seed, "accuracy")
        for i, (source, target) in enumerate([("a", "s"), ("a", "t"), ("b", "t")])
        for seed in range(i + 1)
    ]
    table = Transfers.of(rows)
    for mean in mean_transfers(rows):
        cell = table.sources.index(mean.source), table.targets.index(mean.target)
        assert (mean.gain, mean.score) == (pytest.approx(table.gain[cell]), pytest.approx(table.mean[cell]))
        assert mean.runs == table.runs_of[cell]
