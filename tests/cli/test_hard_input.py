"""What is unusual but fine."""

from __future__ import annotations

import numpy as np
import pytest

from taskspace import Atlas

WORDS = ["rain", "snow", "soup", "bread", "train", "road", "good", "bad", "red", "blue"]


@pytest.fixture
def embedded(taskspace, atlas):
    """Embed a file and give its embedding and what was said on the way."""

    def run(path, *words):
        said = taskspace("embed", path, *words)
        assert said.code == 0, said.err
        name = path.partition(".")[0]
        with Atlas(atlas) as store:
            embedding = store.get(name)
        assert np.isfinite(embedding.vector).all()
        assert taskspace("rank", name, "--json").code == 0
        return embedding, said

    return run


def test_a_class_with_one_row(embedded, tasks, rows_of, write):
    write("lone.jsonl", [*rows_of(tasks["mood"]), {"text": "snow on a blue train", "label": "neither"}])
    embedding, said = embedded("lone.jsonl")
    assert embedding.provenance["classes"] == 3
    assert embedding.informative
    assert "have one row only ('neither')" in said.err


def test_one_row_per_class(embedded, write):
    write("singles.jsonl", [{"text": f"we saw {word}", "label": word} for word in WORDS])
    embedding, said = embedded("singles.jsonl")
    assert (embedding.provenance["classes"], embedding.provenance["input_rows"]) == (10, 10)
    assert "10 of 10 classes of 'singles' have one row only" in said.err


def test_five_thousand_classes(embedded, write):
    texts = [f"{WORDS[i % 10]} {WORDS[i // 10 % 10]} {WORDS[i // 100 % 10]}" for i in range(5_000)]
    write("many.csv", [{"text": text, "label": f"class {i}"} for i, text in enumerate(texts)])
    embedding, said = embedded("many.csv")
    assert (embedding.provenance["classes"], embedding.provenance["input_rows"]) == (5_000, 5_000)
    assert len(said.err) < 1_000  # not all of them are named


def test_a_text_of_ten_megabytes(embedded, tasks, rows_of, write):
    rows = rows_of(tasks["mood"])
    rows[3]["text"] = "good rain " * 1_000_000
    write("long.jsonl", rows)
    embedding, _ = embedded("long.jsonl")
    assert embedding.provenance["input_rows"] == 40
    # Only so much of a text is read, so what stands in the last megabytes changes the content and not the point.
    rows[3]["text"] = "good rain " * 900_000 + "bad snow " * 100_000
    write("longer.jsonl", rows)
    twin, said = embedded("longer.jsonl")
    assert "same content" not in said.out
    assert twin.vector.tobytes() == embedding.vector.tobytes()


def test_labels_that_are_numbers_in_strings(embedded, taskspace, tasks, write):
    coded = zip(tasks["topic"].texts, tasks["topic"].labels.codes, strict=True)
    rows = [{"text": text, "label": int(code)} for text, code in coded]
    write("codes.jsonl", rows)
    as_numbers, _ = embedded("codes.jsonl")
    assert as_numbers.provenance["classes"] == 3
    for text_of in (str, lambda code: f"{code}.0"):
        write("codes.jsonl", [row | {"label": text_of(row["label"])} for row in rows])
        assert taskspace("embed", "codes.jsonl").out == "kept      codes\n"
    write("degrees.csv", [row | {"label": f"{row['label']}.5"} for row in rows])
    degrees, _ = embedded("degrees.csv")
    assert degrees.provenance["label_kind"] == "numbers"


def test_a_pair_column_that_is_half_empty(embedded, tasks, rows_of, write):
    rows = rows_of(tasks["echo"])
    for row in rows[::2]:
        row["text_pair"] = ""
    write("half.csv", rows)
    embedding, _ = embedded("half.csv")
    assert embedding.provenance["input_rows"] == 40


def test_class_names_in_any_script(embedded, taskspace, tasks, write):
    names = ["добре", "悪い", "سيئ"]
    coded = zip(tasks["topic"].texts, tasks["topic"].labels.codes, strict=True)
    write("шrift.jsonl", [{"text": text, "label": names[code]} for text, code in coded])
    embedded("шrift.jsonl")
    assert "шrift" in taskspace("show").out
    assert taskspace("rank", "шrift", "--json").document["target"] == "шrift"
