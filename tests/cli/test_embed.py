"""``embed``: data sets and models into an atlas, once each."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from taskspace import Atlas, Pool, Space, Task

WORDS = ["red", "green", "rain", "snow", "soup", "bread", "good", "bad", "fine", "dull"]

COUNTED = """
from pathlib import Path

def counted(texts):
    with Path("calls.txt").open("a") as file:
        file.write(f"{len(texts)}\\n")
    return ["long" if len(text) % 2 else "short" for text in texts]
"""


@pytest.fixture
def begun(files, taskspace, tiny_encoder):
    """An atlas made on the command line, of one data set."""
    said = taskspace("embed", "mood.jsonl", "--surrogate", tiny_encoder, "--pool", "pool.jsonl")
    assert said.code == 0, said.err
    return files / "my.db"


@pytest.fixture
def library(mixed_pool, tiny_encoder):
    """The same space, made by the library."""
    return Space(mixed_pool, surrogate=tiny_encoder)


def listed(taskspace):
    return {entry["name"]: entry for entry in taskspace("show", "--json").document["entries"]}


def statuses(said):
    return {outcome["origin"]: outcome["status"] for outcome in said.document["outcomes"]}


def test_files_of_two_formats_stand_where_the_library_puts_them(taskspace, files, tiny_encoder, mixed_pool, tasks):
    said = taskspace(
        "embed", "mood.jsonl", "topic.csv", "echo.jsonl", "--surrogate", tiny_encoder, "--pool", "pool.jsonl"
    )
    assert said.code == 0
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["embedded", "mood"], ["embedded", "topic"], ["embedded", "echo"],
    ]  # fmt: skip
    assert "40 rows, 3 classes" in said.out
    assert said.err.startswith("3 embedded in ")
    space = Space(mixed_pool, surrogate=tiny_encoder)
    with Atlas("my.db") as atlas:
        for name, file in (("mood", "mood.jsonl"), ("topic", "topic.csv"), ("echo", "echo.jsonl")):
            stored, made = atlas.get(name), space.embed(tasks[name])
            assert stored.vector.tobytes() == made.vector.tobytes()
            assert (stored.kind, stored.content, stored.space) == ("dataset", tasks[name].fingerprint, space.identity)
            assert dict(stored.provenance) == {**made.provenance, "origin": file}


def test_three_ways_to_say_the_same_model_give_one_point(taskspace, begun):
    """A function, its predictions for the exported pool, and an estimator that learnt them by heart."""
    svm = pytest.importorskip("sklearn.svm")
    features = pytest.importorskip("sklearn.feature_extraction.text")
    pipeline = pytest.importorskip("sklearn.pipeline")
    skops = pytest.importorskip("skops.io")

    assert taskspace("export", "texts.jsonl", "--pool").code == 0
    rows = [json.loads(line) for line in Path("texts.jsonl").read_text(encoding="utf-8").splitlines()]
    singles = [row["text"] for row in rows if row["text_pair"] is None]
    made: dict = {}
    exec(Path("lab.py").read_text(), made)
    answers = made["opinion"](singles)
    said = [{"text": text, "label": answer} for text, answer in zip(singles, answers, strict=True)]
    Path("elsewhere.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said))
    heart = pipeline.make_pipeline(features.CountVectorizer(), svm.LinearSVC(C=1000)).fit(singles, answers)
    assert heart.predict(singles).tolist() == answers
    skops.dump(heart, "heart.skops")

    said = taskspace(
        "embed", "--labeler", "python:lab.py:opinion", "--labeler", "predictions:elsewhere.jsonl",
        "--labeler", "sklearn:heart.skops",
    )  # fmt: skip
    assert said.code == 0, said.err
    with Atlas("my.db") as atlas:
        vectors = {name: atlas.get(name) for name in ("opinion", "elsewhere", "heart")}
    assert {e.kind for e in vectors.values()} == {"model"}
    assert vectors["opinion"].vector.any()
    for name in ("elsewhere", "heart"):
        assert vectors[name].vector == pytest.approx(vectors["opinion"].vector, abs=1e-6)
        assert vectors[name].provenance["input_rows"] == len(singles)


def test_json_is_one_document_with_every_outcome(taskspace, begun):
    said = taskspace("embed", "mood.jsonl", "topic.csv", "gone.jsonl", "--labeler", "python:lab.py:length", "--json")
    assert said.code == 2
    assert statuses(said) == {
        "mood.jsonl": "kept", "topic.csv": "embedded", "gone.jsonl": "failed", "python:lab.py:length": "embedded",
    }  # fmt: skip
    assert said.document["space"]["learner"] == "response"
    assert said.document["atlas"] == str(begun)
    failed = next(outcome for outcome in said.document["outcomes"] if outcome["status"] == "failed")
    assert failed["problem"] in said.sentence


def test_everything_works_from_a_process_too(process, files, tiny_encoder):
    said = process("embed", "mood.jsonl", "topic.csv", "--surrogate", tiny_encoder, "--pool", "pool.jsonl", "--json")
    assert said.code == 0, said.err
    assert statuses(said) == {"mood.jsonl": "embedded", "topic.csv": "embedded"}
    assert process("rank", "mood", "--json").document["hits"][0]["name"] == "topic"
    again = process("embed", "mood.jsonl", "topic.csv")
    assert again.out.splitlines() == ["kept      mood", "kept      topic"]
    assert again.err.startswith("2 kept in ")


def test_two_processes_may_fill_one_atlas(files, tiny_encoder):
    shared = ["--surrogate", str(tiny_encoder), "--pool", "pool.jsonl"]
    running = [
        subprocess.Popen([sys.executable, "-m", "taskspace", "embed", *names, *shared], stderr=subprocess.PIPE)
        for names in (["mood.jsonl", "topic.csv"], ["trip.jsonl", "echo.jsonl"])
    ]
    for process in running:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems
    with Atlas("my.db") as atlas:
        assert {entry.name for entry in atlas.entries()} == {"mood", "topic", "trip", "echo"}
        assert len(atlas.spaces()) == 1
        assert atlas.check() == ""


def test_what_is_there_is_kept_without_asking_the_model(taskspace, begun):
    Path("counted.py").write_text(COUNTED)
    assert taskspace("embed", "--labeler", "python:counted.py:counted").code == 0
    calls = Path("calls.txt").read_text()
    assert calls
    again = taskspace("embed", "--labeler", "python:counted.py:counted", "mood.jsonl", "--json")
    assert set(statuses(again).values()) == {"kept"}
    assert Path("calls.txt").read_text() == calls


def test_changed_content_replaces_what_was_there(taskspace, begun, tasks, rows_of, write, library):
    before = listed(taskspace)["mood"]
    write("mood.jsonl", rows_of(tasks["mood"])[:30])
    said = taskspace("embed", "mood.jsonl")
    assert said.out.startswith("replaced  mood (dataset; 30 rows")
    after = listed(taskspace)
    assert list(after) == ["mood"]
    assert after["mood"]["provenance"]["input_rows"] == 30 != before["provenance"]["input_rows"]
    with Atlas(begun) as atlas:
        assert atlas.get("mood").vector.tobytes() == library.embed(tasks["mood"].take(range(30))).vector.tobytes()


def test_format_path_and_order_are_no_change(taskspace, begun, tasks, rows_of, write, folder):
    (folder / "other").mkdir()
    write(folder / "other" / "mood.csv", rows_of(tasks["mood"])[::-1])
    assert taskspace("embed", "other/mood.csv").out == "kept      mood\n"


def test_a_bad_file_among_good_ones_does_not_stop_the_others(taskspace, begun):
    Path("broken.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": \n')
    said = taskspace("embed", "topic.csv", "broken.jsonl", "trip.jsonl")
    assert said.code == 2
    assert said.sentence.startswith("failed    broken.jsonl, line 2: ")
    assert set(listed(taskspace)) == {"mood", "topic", "trip"}
    assert "1 failed" in said.err.splitlines()[-1]
    assert "2 embedded" in said.err.splitlines()[-1]


def test_two_inputs_of_one_name(taskspace, begun, tasks, rows_of, write, folder):
    (folder / "other").mkdir()
    write(folder / "other" / "topic.jsonl", rows_of(tasks["trip"]))
    said = taskspace("embed", "topic.csv", "other/topic.jsonl")
    assert said.code == 2
    assert said.sentence.startswith("failed    other/topic.jsonl is called 'topic' like topic.csv; ")
    assert "--name" in said.sentence
    assert listed(taskspace)["topic"]["provenance"]["classes"] == 3  # the first one stands


def test_a_model_may_not_take_the_name_of_a_data_set_and_the_rest_goes_on(taskspace, begun):
    Path("names.py").write_text("def mood(texts):\n    return [len(text) % 2 for text in texts]\n")
    said = taskspace("embed", "--labeler", "python:names.py:mood", "--labeler", "python:lab.py:length")
    assert said.code == 2
    assert said.sentence.startswith("failed    there is already a dataset named 'mood'; ")
    assert {name: entry["kind"] for name, entry in listed(taskspace).items()} == {"mood": "dataset", "length": "model"}


def test_a_name_can_be_said_for_one_thing(taskspace, begun):
    assert taskspace("embed", "topic.csv", "--name", "subjects").code == 0
    assert taskspace("embed", "--labeler", "python:lab.py:length", "--name", "ruler").code == 0
    assert set(listed(taskspace)) == {"mood", "subjects", "ruler"}
    said = taskspace("embed", "topic.csv", "trip.jsonl", "--name", "both")
    assert (said.code, said.sentence) == (2, "taskspace: --name both fits one thing, and 2 were given; embed it alone")


def test_the_same_content_under_two_names_is_kept_twice_and_told(taskspace, begun):
    said = taskspace("embed", "mood.jsonl", "--name", "twin")
    assert "same content as 'mood'" in said.out
    with Atlas(begun) as atlas:
        assert atlas.get("twin").vector.tobytes() == atlas.get("mood").vector.tobytes()


def test_nothing_given(taskspace, folder):
    said = taskspace("embed")
    assert (said.code, said.out) == (2, "")
    assert said.sentence.startswith("taskspace: nothing to embed was given; ")
    assert not (folder / "my.db").exists()


def test_without_a_pool_one_is_drawn_from_the_data_given_and_the_samples(taskspace, files, tiny_encoder, tasks):
    said = taskspace("embed", "mood.jsonl", "--surrogate", tiny_encoder)
    assert said.code == 0
    assert "new space: a pool of " in said.err
    with Atlas("my.db") as atlas:
        pool = atlas.pool()
    assert set(tasks["mood"].texts) <= set(pool.texts)
    assert pool.inputs.is_pair.any()
    assert listed(taskspace)["mood"]["provenance"]["pool_overlap"] == 40


def test_a_first_run_that_reads_nothing_leaves_no_space_without_the_users_texts(
    taskspace, files, tiny_encoder, tasks, contents
):
    said = taskspace("embed", "mod.jsonl", "--surrogate", tiny_encoder)
    assert said.code == 2
    assert said.sentence == "taskspace: there is no file mod.jsonl; did you mean 'mood.jsonl'?"
    taskspace("embed", "mood.jsonl", "--surrogate", tiny_encoder)
    with Atlas("my.db") as atlas:
        assert len(atlas.spaces()) == 1
        assert set(tasks["mood"].texts) <= set(atlas.pool().texts)


def test_another_learner_shares_pool_seed_and_surrogate(taskspace, files, tiny_encoder, mixed_pool):
    taskspace("embed", "mood.jsonl", "--surrogate", tiny_encoder, "--pool", "pool.jsonl", "--seed", "3")
    said = taskspace("embed", "mood.jsonl", "topic.csv", "--learner", "text", "--json")
    assert said.code == 0, said.err
    with Atlas("my.db") as atlas:
        response, text = atlas.spaces()
        assert (response.learner, text.learner) == ("response", "text")
        for field in ("weights", "encoding", "pool", "seed"):
            assert getattr(response, field) == getattr(text, field)
        assert atlas.options("text") == {"surrogate": str(tiny_encoder)}
        assert {(e.name, e.space) for e in atlas.entries()} == {
            ("mood", response.fingerprint), ("mood", text.fingerprint), ("topic", text.fingerprint),
        }  # fmt: skip
    # What was said once need not be said again, and what names a space is found again.
    assert taskspace("embed", "mood.jsonl", "--learner", "response").out == "kept      mood\n"
    assert taskspace("embed", "mood.jsonl", "--learner", response.fingerprint[:12]).out == "kept      mood\n"
    assert taskspace("embed", "mood.jsonl", "--seed", "3", "--learner", "response").out == "kept      mood\n"


def test_an_atlas_with_two_spaces_asks_which(taskspace, begun):
    taskspace("embed", "mood.jsonl", "topic.csv", "--learner", "text")
    for words in (["rank", "mood"], ["near", "mood"], ["show", "mood"], ["rank", "topic.csv"]):
        said = taskspace(*words)
        if words[1] == "topic.csv":
            assert "2 spaces fit" in said.sentence
        assert said.code == 2
        assert "--learner" in said.sentence
        assert "response on" in said.sentence
        assert "text on" in said.sentence
    assert [hit["name"] for hit in taskspace("rank", "mood", "--learner", "text", "--json").document["hits"]] == [
        "topic"
    ]
    assert taskspace("export", "pool2.jsonl", "--pool").code == 0  # one pool serves both, so there is nothing to ask


def test_a_new_pool_makes_a_new_space(taskspace, begun, tasks, write):
    write("other.jsonl", [{"text": text} for text in tasks["trip"].texts])
    assert taskspace("embed", "topic.csv", "--pool", "other.jsonl").code == 0
    with Atlas(begun) as atlas:
        old, new = atlas.spaces()
        assert old.pool != new.pool == Pool(tasks["trip"].texts).fingerprint
        assert (old.weights, old.learner) == (new.weights, new.learner)


def test_columns_and_limit_are_handed_on(taskspace, begun, tasks, rows_of, write):
    write("odd.csv", [{"words": row["text"], "verdict": row["label"]} for row in rows_of(tasks["topic"])])
    assert taskspace("embed", "odd.csv", "--text", "words", "--label", "verdict", "--limit", "20").code == 0
    odd = Task.from_file("odd.csv", text="words", label="verdict", limit=20, seed=0)
    with Atlas(begun) as atlas:
        assert atlas.get("odd").content == odd.fingerprint
        assert atlas.get("odd").provenance["input_rows"] == 20


def test_a_pickle_needs_trust(taskspace, begun):
    joblib = pytest.importorskip("joblib")
    features = pytest.importorskip("sklearn.feature_extraction.text")
    dummy = pytest.importorskip("sklearn.linear_model")
    pipeline = pytest.importorskip("sklearn.pipeline")
    model = pipeline.make_pipeline(features.TfidfVectorizer(), dummy.LogisticRegression())
    joblib.dump(model.fit(["good day", "bad day", "good", "bad"], ["a", "b", "a", "b"]), "model.joblib")
    refused = taskspace("embed", "--labeler", "sklearn:model.joblib")
    assert (refused.code, "--trust-pickle" in refused.sentence) == (2, True)
    assert list(listed(taskspace)) == ["mood"]
    assert taskspace("embed", "--labeler", "sklearn:model.joblib", "--trust-pickle").code == 0
    assert listed(taskspace)["model"]["kind"] == "model"


def test_what_says_nothing_is_stored_and_told(taskspace, begun):
    Path("constant.py").write_text("def constant(texts):\n    return [[0.5, 0.5]] * len(texts)\n")
    said = taskspace("embed", "--labeler", "python:constant.py:constant")
    assert said.code == 0
    assert "uninformative" in said.out
    with Atlas(begun) as store:
        assert not np.any(store.get("constant").vector)
    (listed_as,) = [line for line in taskspace("show").out.splitlines() if "constant" in line]
    assert listed_as.endswith("uninformative")
    assert "'constant'" in taskspace("rank", "mood").out.splitlines()[-1]


def test_the_default_atlas_lies_with_the_caches_and_its_folder_is_made(taskspace, files, tiny_encoder, monkeypatch):
    monkeypatch.delenv("TASKSPACE_ATLAS")
    home = files / "deep" / "home"
    monkeypatch.setenv("TASKSPACE_HOME", str(home))
    assert taskspace("embed", "mood.jsonl", "--surrogate", tiny_encoder, "--pool", "pool.jsonl").code == 0
    assert (home / "atlas.db").is_file()
    assert taskspace("show", "--json").document["atlas"] == str(home / "atlas.db")
    assert not (files / "my.db").exists()


# Models of every kind


@pytest.fixture(scope="session")
def classifier(tmp_path_factory, save_encoder):
    """The folder of a random three-class BERT."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = save_encoder(tmp_path_factory.mktemp("hub") / "my-classifier")
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=3)
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.BertForSequenceClassification(config).save_pretrained(folder)
    bars.enable_progress_bar()
    return folder


@pytest.fixture(scope="session")
def decoder(tmp_path_factory):
    """The folder of a random decoder that knows the words of the tasks."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("lm") / "decoder"
    words = ["<unk>", "</s>", *WORDS, "we", "saw", "the", "was", "It"]
    table = tokenizers.models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(table)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    special = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "</s>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, initializer_range=0.3, bos_token_id=None, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
    bars.enable_progress_bar()
    return folder


@pytest.fixture
def server():
    """A chat server on loopback that finds rain bad; and the texts it was asked about."""
    pytest.importorskip("httpx")
    asked = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["messages"][-1]["content"])
            word = "bad" if "rain" in asked[-1] else "good"
            reply = {"choices": [{"message": {"role": "assistant", "content": word}, "finish_reason": "stop"}]}
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", asked
    server.shutdown()
    server.server_close()
    thread.join(timeout=30)


PROMPTS = """
model = "{model}"
{more}
answers = {{ good = ["good", "fine"], bad = "bad" }}

[[prompts]]
name = "was-it"
template = "{{text}} It was"

[[prompts]]
name = "we-saw"
template = "we saw {{text}} It was"
"""


def test_a_hub_classifier(taskspace, begun, classifier):
    said = taskspace("embed", "--labeler", f"hub:{classifier}", "--device", "cpu")
    assert said.code == 0, said.err
    assert said.out.startswith("embedded  my-classifier (model; ")
    about = listed(taskspace)["my-classifier"]["provenance"]
    assert (about["origin"], about["source"], about["reads"]) == (f"hub:{classifier}", "hub", "texts")
    assert about["labels"] == ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert taskspace("embed", "--labeler", f"hub:{classifier}").out == "kept      my-classifier\n"
    said = taskspace("embed", "--labeler", f"hub:{classifier}", "--reads", "pairs", "--name", "of-pairs", "--json")
    (outcome,) = said.document["outcomes"]
    assert (outcome["status"], outcome["provenance"]["reads"]) == ("embedded", "pairs")


def test_the_prompts_of_a_file_share_one_language_model(taskspace, begun, decoder, monkeypatch):
    from taskspace.labelers import language_models

    loads = []
    whole = language_models.load_language_model

    def counted(*words, **settings):
        loads.append(words)
        return whole(*words, **settings)

    monkeypatch.setattr(language_models, "load_language_model", counted)
    Path("prompts.toml").write_text(PROMPTS.format(model=decoder, more=""))
    said = taskspace("embed", "--labeler", "prompt:prompts.toml:was-it", "--labeler", "prompt:prompts.toml:we-saw")
    assert said.code == 0, said.err
    assert len(loads) == 1
    entries = listed(taskspace)
    assert {entries[name]["kind"] for name in ("was-it", "we-saw")} == {"prompt"}
    assert entries["was-it"]["provenance"]["origin"] == "prompt:prompts.toml:was-it"
    assert entries["was-it"]["provenance"]["template"] == "{text} It was"


def test_an_endpoint_is_asked_once_for_each_text(taskspace, begun, server, mixed_pool):
    address, asked = server
    more = 'chat = true\nendpoint = { scoring = "text", concurrency = 2 }'
    Path("prompts.toml").write_text(PROMPTS.format(model="served", more=more))
    spec = f"{address}#prompts.toml:was-it"
    assert taskspace("embed", "--labeler", spec).code == 0
    singles = {text for text, pair in zip(mixed_pool.texts, mixed_pool.text_pairs, strict=True) if pair is None}
    assert sorted(asked) == sorted(f"{text} It was" for text in singles)
    assert listed(taskspace)["was-it"]["provenance"]["origin"] == spec
    asked.clear()
    assert taskspace("remove", "was-it").code == 0
    assert taskspace("embed", "--labeler", spec).out.startswith("embedded  was-it (prompt; ")
    assert asked == []
    assert taskspace("embed", "--labeler", f"{address}#prompts.toml:we-saw").code == 0
    assert len(asked) == len(singles)


def test_a_model_that_cannot_be_used_does_not_stop_the_others(taskspace, begun, tiny_encoder):
    said = taskspace("embed", "--labeler", f"hub:{tiny_encoder}", "--labeler", "python:lab.py:length")
    assert said.code == 2
    assert "is no classifier: its weights lack" in said.sentence
    assert set(listed(taskspace)) == {"mood", "length"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--labeler", "python:lab.py:length", "--reads", "pair"],
            "a labeler cannot read 'pair'; did you mean 'pairs'?",
        ),
        (["--labeler", "prompt:sentiment:x"], "the prompts of sentiment name no model; copy them to a file"),
        (["--labeler", "http://127.0.0.1:9/v1"], "does not say what to ask; name a file of prompts"),
    ],
)
def test_options_and_specs_that_make_no_sense(taskspace, begun, words, sentence):
    said = taskspace("embed", *words)
    assert said.code == 2
    assert sentence in said.sentence


def test_help_names_every_kind_of_model(taskspace):
    help_text = " ".join(taskspace("embed", "--help").out.replace("│", " ").split())
    for kind in (
        "hub:ID",
        "prompt:FILE.toml:NAME",
        "http://HOST/v1#FILE.toml:NAME",
        "predictions:FILE",
        "sklearn:FILE",
    ):
        assert kind in help_text
    assert "--reads" in help_text


# Tuned learners, and surrogates that write


def test_tuned_vectors_stand_where_the_library_puts_them(taskspace, files, tiny_encoder, mixed_pool, tasks):
    options = ("--surrogate", tiny_encoder, "--pool", "pool.jsonl", "--learner", "tuned:prompt")
    said = taskspace("embed", "mood.jsonl", "topic.csv", *options)
    assert said.code == 0, said.err
    assert [line.split()[:2] for line in said.out.splitlines()] == [["embedded", "mood"], ["embedded", "topic"]]
    space = Space(mixed_pool, surrogate=tiny_encoder, learner="tuned:prompt")
    with Atlas(files / "my.db") as store:
        for name in ("mood", "topic"):
            np.testing.assert_allclose(store.get(name).vector, space.embed(tasks[name]).vector, atol=1e-5)
            assert store.get(name).space == space.identity
            assert store.get(name).provenance["steps"] == 20
    again = taskspace("embed", "mood.jsonl", "trip.jsonl", "--json")
    assert statuses(again) == {"mood.jsonl": "kept", "trip.jsonl": "embedded"}
    assert again.document["space"]["learner"] == "tuned:prompt"
    assert taskspace("rank", "mood", "--centre").code == 0


def test_a_decoder_as_surrogate(taskspace, files, tiny_decoder, mixed_pool, tasks):
    said = taskspace("embed", "mood.jsonl", "topic.csv", "--surrogate", tiny_decoder, "--pool", "pool.jsonl")
    assert said.code == 0, said.err
    space = Space(mixed_pool, surrogate=tiny_decoder)
    with Atlas(files / "my.db") as store:
        np.testing.assert_array_equal(store.get("mood").vector, space.embed(tasks["mood"]).vector)


def test_a_t5_as_surrogate(taskspace, files, tiny_encoder, tmp_path):
    """With a tokenizer of words, as the encoder has."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_encoder)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    transformers.utils.logging.disable_progress_bar()
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    transformers.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(tmp_path / "t5")
    for learner in ("response", "fisher"):
        said = taskspace(
            "embed", "mood.jsonl", "topic.csv", "--surrogate", tmp_path / "t5", "--pool", "pool.jsonl",
            "--learner", learner, "--atlas", tmp_path / f"{learner}.db",
        )  # fmt: skip
        assert said.code == 0, said.err
        with Atlas(tmp_path / f"{learner}.db") as store:
            assert store.get("mood").vector.any()
            assert Path(store.spaces()[0].surrogate) == tmp_path / "t5"


def test_an_unknown_carrier(taskspace, files, tiny_encoder):
    said = taskspace("embed", "mood.jsonl", "--surrogate", tiny_encoder, "--learner", "tuned:promt")
    assert said.code == 2
    assert "did you mean 'tuned:prompt'" in said.sentence
