from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from taskspace.errors import DataError, LabelerError, TaskspaceError
from taskspace.labelers import ask, from_predictions
from taskspace.task import Pool

TEXTS = ["one, two", "three", "four five"]
POOL = Pool(TEXTS)
P = [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def values_of(path_or_rows, pool=POOL):
    return ask(from_predictions(path_or_rows), pool)[1].values.tolist()


NAMED = [{"ham": p, "spam": q} for p, q in P]


def write_every_format(folder):
    """The same three distributions over ham and spam, in every form a file may have."""
    table = pd.DataFrame(NAMED)
    with_text = table.assign(text=TEXTS)
    (folder / "plain.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in NAMED).encode()))
    with gzip.open(folder / "array.npy.gz", "wb") as file:
        np.save(file, np.array(P))
    np.save(folder / "array.npy", np.array(P))
    table.to_csv(folder / "indexed.csv")
    with_text.to_csv(folder / "text.csv", index=False)
    with_text.to_csv(folder / "text.tsv.gz", index=False, sep="\t")
    with_text.to_parquet(folder / "text.parquet")
    pd.DataFrame({"text": TEXTS, "probs": P}).to_parquet(folder / "probs.parquet")
    pd.DataFrame({"probs": [json.dumps(row) for row in P]}).to_csv(folder / "probs.csv", index=False)
    jsonl(folder / "probs.jsonl", [{"probs": row} for row in P])
    jsonl(folder / "probabilities.jsonl", [{"text": t, "probabilities": row} for t, row in zip(TEXTS, P, strict=True)])
    jsonl(folder / "named.jsonl", [{"probs": row} for row in NAMED])
    jsonl(folder / "swapped.jsonl", [{"probs": dict(reversed(row.items()))} for row in NAMED])
    return sorted(path for path in folder.iterdir() if path.is_file())


def test_every_format_gives_the_same_answers_and_fingerprint(tmp_path):
    labelers = [from_predictions(path) for path in write_every_format(tmp_path)]
    memory = [P, np.array(P), NAMED, [{"probs": row} for row in P], pd.DataFrame(NAMED), pl.DataFrame(NAMED), iter(P)]
    labelers += [from_predictions(rows) for rows in memory]
    assert len(labelers) == 19 + 1
    for labeler in labelers:
        np.testing.assert_array_equal(ask(labeler, POOL)[1].values, P)
    assert len({labeler.fingerprint for labeler in labelers}) == 1


def test_hard_labels_of_any_format_agree(tmp_path):
    frame = pd.DataFrame({"text": TEXTS, "label": [1, None, 0]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    jsonl(tmp_path / "a.jsonl", [{"label": "1"}, {"label": None}, {"label": "0"}])
    jsonl(tmp_path / "b.jsonl", [{"label": 1}, {"label": ""}, {"label": 0}])
    np.save(tmp_path / "a.npy", np.array([1, np.nan, 0]))
    labelers = [from_predictions(path) for path in sorted(tmp_path.iterdir())]
    for labeler in labelers:
        _, answers = ask(labeler, POOL)
        assert answers.values.tolist() == [[0, 1], [0, 0], [1, 0]]
        assert answers.known.tolist() == [True, False, True]
    assert len({labeler.fingerprint for labeler in labelers}) == 1
    assert len(labelers) == 5


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl"])
def test_scores_are_numbers_even_when_whole(tmp_path, name):
    path = tmp_path / name
    if name == "s.csv":
        path.write_text('text,score\n"one, two",2\nthree,\nfour five,5\n', encoding="utf-8")
    else:
        jsonl(path, [{"score": 2}, {"score": None}, {"score": 5.0}])
    _, answers = ask(from_predictions(path), POOL)
    assert answers.kind == "numbers"
    assert answers.values.tolist() == [[2], [0], [5]]
    assert answers.known.tolist() == [True, False, True]


def test_label_with_score_is_the_probability_of_that_label(tmp_path):
    path = tmp_path / "pipeline.csv"
    path.write_text("label,score\nham,0.75\nspam,0.5\n,\n", encoding="utf-8")
    np.testing.assert_allclose(values_of(path), [[0.75, 0.25], [0.5, 0.5], [0, 0]])


def test_empty_cells_of_class_columns_abstain(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("ham,spam\n0.25,0.75\n,\n1,0\n", encoding="utf-8")
    assert values_of(path) == [[0.25, 0.75], [0, 0], [1, 0]]


def test_one_probability_column_is_one_of_two_classes(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("spam\n0.25\n1\n0.5\n", encoding="utf-8")
    assert values_of(path) == [[0.75, 0.25], [0, 1], [0.5, 0.5]]


def test_fingerprints_tell_answers_apart():
    made = [P, P[::-1], ["a", "b", "a"], ["a", "b", None], [0.5, 1.5, 2], [0.5, 1.5, 2.5]]
    assert len({from_predictions(rows).fingerprint for rows in made}) == len(made)


def test_names_come_from_the_file(tmp_path):
    path = jsonl(tmp_path / "my.model.jsonl", [{"label": "a"}])
    assert from_predictions(path).name == "my.model"
    assert from_predictions(str(path), name="other").name == "other"
    np.save(tmp_path / "probs.npy", np.eye(2))
    assert from_predictions(tmp_path / "probs.npy").name == "probs"


class TestPartOfThePool:
    """The pool has ten rows: six single texts and four pairs."""

    @pytest.mark.parametrize(("rows", "reads"), [(10, "both"), (6, "texts"), (4, "pairs")])
    def test_the_row_count_says_which_part(self, pool, rows, reads):
        labels = [str(i % 2) for i in range(rows)]
        inputs, answers = ask(from_predictions(labels), pool)
        is_pair = pool.inputs.is_pair
        expected = {"both": np.arange(10), "texts": np.flatnonzero(~is_pair), "pairs": np.flatnonzero(is_pair)}[reads]
        assert inputs == pool.inputs.take(expected)
        assert answers.values.argmax(axis=1).tolist() == [i % 2 for i in range(rows)]

    def test_other_counts_are_refused_with_all_of_them(self, pool):
        message = r"has 5 rows, but the pool has 10 \(6 single texts and 4 pairs\)"
        with pytest.raises(LabelerError, match=message):
            ask(from_predictions(["a", "b", "a", "b", "a"]), pool)

    def test_one_labeler_serves_several_pools(self, pool):
        labeler = from_predictions(["a", "b", "a", "b"])
        assert len(ask(labeler, pool)[0]) == 4
        assert len(ask(labeler, Pool(["w", "x", "y", "z"]))[0]) == 4
        assert labeler.reads == "both"

    def test_as_many_texts_as_pairs_needs_the_texts(self):
        even = Pool(["a", "b", "c", "d"], [None, "x", None, "y"])
        with pytest.raises(LabelerError, match="as many single texts as pairs; add a text column"):
            ask(from_predictions(["p", "q"]), even)
        stated = [{"text": "b", "label": "p"}, {"text": "d", "label": "q"}]
        inputs, _ = ask(from_predictions(stated), even)
        assert inputs.texts == ("b", "d")
        assert inputs.pairs == ("x", "y")


class TestStatedTexts:
    def test_a_mismatch_names_the_line(self, tmp_path):
        rows = [{"text": t, "label": "a"} for t in ["one, two", "four five", "three"]]
        path = jsonl(tmp_path / "p.jsonl", rows)
        with pytest.raises(LabelerError, match=r"p\.jsonl has the text 'four five' in line 2 where .* 'three'"):
            ask(from_predictions(path), POOL)

    def test_lines_count_the_header(self, tmp_path):
        path = tmp_path / "p.csv"
        path.write_text('text,label\n"one, two",a\nother,b\n"four\nfive",a\n', encoding="utf-8")
        with pytest.raises(LabelerError, match="'other' in line 3 where the pool has 'three'"):
            ask(from_predictions(path), POOL)

    def test_a_second_text_must_match_too(self):
        pool = Pool(["a", "b"], ["x", "y"])
        rows = [{"text": "a", "text_pair": "x", "label": 0}, {"text": "b", "text_pair": "z", "label": 1}]
        with pytest.raises(LabelerError, match="has the text 'z' in row 1 where the pool has 'y'"):
            ask(from_predictions(rows), pool)

    def test_a_second_text_for_a_single_text(self):
        rows = [{"text": t, "text_pair": "more", "label": 0} for t in TEXTS]
        with pytest.raises(LabelerError, match="'more' in row 0 where the pool has None"):
            ask(from_predictions(rows), POOL)

    def test_white_space_and_empty_cells_do_not_count(self):
        rows = [{"text": " one,\r\ntwo", "label": 0}, {"text": None, "label": 1}, {"text": "four  five", "label": 0}]
        assert values_of(rows) == [[1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.jsonl", '{"label": "a"}\n{"label": \n', r"p\.jsonl, line 2: not valid JSON"),
        ("p.jsonl", '{"label": "a"}\n{"lable": "a"}\n', "has no 'label' in line 2; write null"),
        ("p.jsonl", '{"label": ["a", "b"]}\n', "line 1: column 'label' holds a list"),
        ("p.jsonl", '{"probs": [0.5, 0.6]}\n', r"gave \[0.5, 0.6\] in line 1, which sum to 1.1"),
        ("p.jsonl", '{"probs": [0.5, 0.5]}\n\n{"probs": [1]}\n', "gave 1 probabilities in line 3 but 2 in line 1"),
        ("p.jsonl", '{"text": "a"}\n', r"has only the columns 'text'; it needs label, probs, score"),
        ("p.jsonl", '{"text": "a", "label": null}\n', "abstained on all 1 texts"),
        ("p.jsonl", '{"score": "high"}\n', "has 'high' in line 1, column 'score', where a number was expected"),
        ("p.csv", "ham,spam\n0.5,0.5\n0.5,half\n", "has 'half' in line 3, column 'spam', where a number was"),
        ("p.csv", "ham,spam\n0.5,0.5\n-0.5,1.5\n", r"gave \[-0.5, 1.5\] in line 3, some of them negative"),
        ("p.csv", "ham,spam\n0.5,0.5\n0.5,\n", r"gave \[0.5, nan\] in line 3, some of them NaN"),
        ("p.csv", "probs\n0.5 0.5\n", "has '0.5 0.5' in line 2 where probabilities were expected"),
        ("p.csv", "label\n", "has no rows"),
        ("p.csv", "", "p.csv is empty"),
        ("p.npy", "not an array", r"p\.npy cannot be read as a numpy array"),
        ("p.npy", "", r"p\.npy cannot be read as a numpy array"),
        ("p.npy", "PK\x03\x04 cut", r"p\.npy cannot be read as a numpy array"),
        ("p.npy.gz", "not gzip", r"p\.npy\.gz is cut short or not gzip"),
        ("p.docx", "x", "none of the suffixes that can be read"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TaskspaceError, match=message) as caught:
        from_predictions(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_file_and_the_nearest_name(tmp_path):
    jsonl(tmp_path / "preds.jsonl", [{"label": "a"}])
    with pytest.raises(DataError, match=r"there is no file .*pred\.jsonl; did you mean 'preds\.jsonl'"):
        from_predictions(tmp_path / "pred.jsonl")
    with pytest.raises(DataError, match=r"there is no file .*pred\.npy"):
        from_predictions(tmp_path / "pred.npy")


def test_pickled_arrays_are_not_opened(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(LabelerError, match=r"p\.npy cannot be read as a numpy array"):
        from_predictions(tmp_path / "p.npy")


def test_arrays_of_other_shapes(tmp_path):
    np.save(tmp_path / "p.npy", np.array(1.0))
    with pytest.raises(LabelerError, match="holds a single value"):
        from_predictions(tmp_path / "p.npy")
    with (tmp_path / "p.npy").open("wb") as file:
        np.savez(file, a=np.eye(2), b=np.eye(2))
    with pytest.raises(LabelerError, match="holds several arrays"):
        from_predictions(tmp_path / "p.npy")
    np.save(tmp_path / "p.npy", np.zeros((2, 2, 2)))
    with pytest.raises(LabelerError, match=r"array of shape \(2, 2, 2\)"):
        from_predictions(tmp_path / "p.npy")


def test_no_rows_in_memory():
    with pytest.raises(LabelerError, match="the list of predictions has no rows"):
        from_predictions([])


def test_five_thousand_classes_from_a_file(tmp_path, rng):
    names = rng.permutation(5000)
    path = jsonl(tmp_path / "many.jsonl", [{"label": f"class {name}"} for name in names])
    values = ask(from_predictions(path), Pool([f"text {i}" for i in range(5000)]))[1].values
    assert values.shape == (5000, 5000)
    np.testing.assert_array_equal(values.sum(axis=0), 1)
