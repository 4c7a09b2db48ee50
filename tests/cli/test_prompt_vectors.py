"""``taskspace prompt combine rank import export``: what they write and print, and what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from taskspace.prompting import tune_prompts, usual_recipe
from taskspace.prompting.begin import begin
from taskspace.prompting.likeness import rank_prompts
from taskspace.prompting.soft import PromptVector, SoftPrompt, combine
from taskspace.prompting.transfer import search_scale
from taskspace.task import Task
from taskspace.tuning.backbones import load_backbone
from taskspace.tuning.identity import BackboneId

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "published"
PUBLISHED = pytest.mark.skipif(not SHARED.is_dir(), reason="the published prompts are not there")
WHERE = BackboneId("org/tiny", "c0ffee", "encoder", 4, 100, "t" * 64)


@pytest.fixture(autouse=True)
def one_thread():
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def prompts(folder):
    """Three prompts of four tasks in ``sources``, two of them from one init."""
    made = {}
    for seed, (task, init) in enumerate([("mood", 0), ("topic", 0), ("trip", 1)]):
        start = np.random.default_rng(100 + init).standard_normal((3, 4)).astype(np.float32)
        step = np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)
        made[task] = SoftPrompt(start + step, WHERE, task, start, (task,))
        made[task].save(folder / "sources" / task)
    return made


def test_a_sum_on_the_init_of_the_first(taskspace, prompts):
    said = taskspace("prompt", "combine", "sources/mood", "sources/topic", "--scale", "0.5", "--out", "sum")
    assert said.code == 0, said.err
    assert said.out.startswith("wrote sum: +0.5 mood +0.5 topic at scale 0.5 (")
    made, (one, other) = SoftPrompt.load("sum"), (prompts["mood"], prompts["topic"])
    by_hand = one.init + 0.5 * ((one.tokens - one.init) + (other.tokens - other.init))
    np.testing.assert_allclose(made.tokens, by_hand, atol=1e-6)
    assert np.array_equal(made.init, one.init)


@pytest.mark.parametrize(("method", "weights"), [("sum", "1,-0.5"), ("average", "3,1"), ("ties", "1,1")])
def test_methods_and_weights(taskspace, prompts, method, weights):
    said = taskspace(
        "prompt", "combine", "sources/mood", "sources/topic", "--method", method, "--weights", weights,
        "--density", "0.5", "--out", "made", "--vector", "made.safetensors", "--json",
    )  # fmt: skip
    one, other = prompts["mood"].vector, prompts["topic"].vector
    expected = {
        "sum": lambda: one - 0.5 * other,
        "average": lambda: 0.75 * one + 0.25 * other,
        "ties": lambda: combine.ties([one, other], 0.5),
    }[method]()
    assert said.document["vector"] == "made.safetensors"
    assert said.document["weights"] == pytest.approx(dict(expected.weights))
    np.testing.assert_allclose(PromptVector.load("made.safetensors").values, expected.values, atol=1e-6)


def test_taking_a_task_away_from_its_own_prompt_gives_the_init_back(taskspace, prompts):
    words = ("sources/mood", "--weights", "-1", "--init", "sources/mood", "--out", "bare")
    assert taskspace("prompt", "combine", *words).code == 0
    np.testing.assert_allclose(SoftPrompt.load("bare").tokens, prompts["mood"].init, atol=1e-6)


@pytest.fixture
def tuned(folder, tiny_encoder, write, rows_of, make_tasks):
    """Two prompts on the encoder in ``out``, and rows of their tasks."""
    shutil.copytree(tiny_encoder, folder / "model")
    rows = rows_of(make_tasks(rows=24)["mood"])
    write(folder / "mood.jsonl", rows)
    write(folder / "calm.jsonl", [row | {"text": f"it is {row['text']}"} for row in rows])
    backbone = load_backbone("model")
    recipe = usual_recipe(backbone, steps=6, batch=4, rate=0.3, max_length=16)
    tasks = [Task.from_file(f"{name}.jsonl") for name in ("mood", "calm")]
    return backbone, tune_prompts(tasks, model=backbone, length=2, recipe=recipe, folder="out")


def test_the_scale_is_searched_on_validation_rows(taskspace, tuned):
    backbone, (one, other) = tuned
    words = ("out/mood", "out/calm", "--scale", "search", "--grid", "0,0.5,1,2", "--out", "sum")
    rows = ("--validation", "mood.jsonl", "--validation", "calm.jsonl")
    document = taskspace("prompt", "combine", *words, *rows, "--json").document
    tasks = [Task.from_file(name) for name in rows[1::2]]
    begun = SoftPrompt(one.init, backbone.identity)
    found = search_scale(backbone, begun, one.vector + other.vector, tasks, grid=(0, 0.5, 1, 2), max_length=16)
    assert document["scale"] == found.best
    scores = [list(row.values())[1:] for row in document["search"]]
    np.testing.assert_array_equal(np.array(scores, dtype=float), found.scores)
    lines = taskspace("prompt", "combine", *words, *rows, "--force").out.splitlines()
    assert lines[0].split() == ["scale", "mood.jsonl", "macro_f1", "calm.jsonl", "macro_f1"]
    assert [line.split()[0] for line in lines[1:5] if line.endswith("*")] == [f"{found.best:.3f}"]


def test_a_number_as_init_is_a_seed_of_vocabulary_rows(taskspace, tuned):
    backbone, (one, _) = tuned
    assert taskspace("prompt", "combine", "out/mood", "--init", "5", "--out", "moved").code == 0
    start = begin("vocabulary", backbone, length=2, seed=5)
    np.testing.assert_allclose(SoftPrompt.load("moved").tokens, start.tokens + one.vector.values, atol=1e-6)


def test_rank_is_the_ranking_of_the_function(taskspace, prompts):
    document = taskspace("prompt", "rank", "sources/mood", "--sources", "sources", "--json").document
    ranking = rank_prompts(prompts["mood"], list(prompts.values()))
    assert document == ranking.to_dict()
    by_name = taskspace("prompt", "rank", "mood", "--sources", "sources", "--compare", "vectors", "-k", "1", "--json")
    vectors = rank_prompts(prompts["mood"], list(prompts.values()), compare="vectors")
    assert by_name.document["hits"] == vectors.top(1).to_dict()["hits"]


def test_other_prompts_of_the_target_s_task_are_left_out(taskspace, prompts):
    twin = prompts["mood"]
    SoftPrompt(twin.tokens + 0.01, WHERE, "mood.1", twin.init, ("mood",)).save("sources/mood.1")
    said = taskspace("prompt", "rank", "sources/mood", "--sources", "sources", "--json")
    assert {hit["name"] for hit in said.document["hits"]} == {"topic", "trip"}
    assert said.err == "left out, since they are of the target's task: mood.1\n"


@PUBLISHED
@pytest.mark.parametrize(("model", "ndcg"), [("roberta-base", 0.9015), ("t5-small", 0.8899)])
def test_the_published_transfers_are_ordered_as_well_as_they_were(taskspace, model, ndcg):
    words = ("--sources", SHARED / f"prompts_{model}.safetensors", "--transfers", SHARED / "prompt_transfer.csv")
    said = taskspace("prompt", "rank", *words, "--model", model, "--evaluate", "--json")
    assert said.document["ndcg"]["mean"] == pytest.approx(ndcg, abs=1e-4)
    assert said.document["ndcg_chance"] == pytest.approx(0.7, abs=0.02)
    table = taskspace("prompt", "rank", *words, "--model", model, "--evaluate").out
    assert f"pooled: NDCG {ndcg:.3f} [" in table


@PUBLISHED
def test_one_of_many_published_prompts_can_be_the_target(taskspace):
    many = SHARED / "prompts_roberta-base.safetensors"
    words = ("--transfers", SHARED / "prompt_transfer.csv", "--model", "roberta-base", "--measure", "neighbours")
    said = taskspace("prompt", "rank", "SST2", "--sources", many, *words, "-k", "3")
    assert said.out.splitlines()[0] == "nearest to 'SST2'"
    assert len([line for line in said.out.splitlines() if "  prompt  " in line]) == 3


def test_import_takes_foreign_prompts_in_and_drops_dead_rows(taskspace, folder):
    from safetensors.numpy import save_file

    tokens = np.arange(24, dtype=np.float32).reshape(6, 4)
    (folder / "adapter").mkdir()
    said = {"peft_type": "PROMPT_TUNING", "task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 3}
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps(said))
    save_file({"prompt_embeddings": tokens}, folder / "adapter" / "adapter_model.safetensors")
    np.save(folder / "table.npy", tokens)
    np.save(folder / "start.npy", tokens + 1)
    done = taskspace("prompt", "import", "adapter", "--backbone", "t5-tiny", "--task", "rte", "--out", "mine")
    assert done.code == 0, done.err
    assert "dropped_rows" in done.out.splitlines()[0]
    mine = SoftPrompt.load("mine/rte")
    assert np.array_equal(mine.tokens, tokens[:3])
    assert (mine.tasks, mine.backbone.name, mine.backbone.kind) == (("rte",), "t5-tiny", "encoder-decoder")
    words = ("table.npy", "--init", "start.npy", "--effective", "2", "--out", "mine", "--json")
    (report,) = taskspace("prompt", "import", *words).document["prompts"]
    assert (report["length"], report["dropped_rows"], report["vector"]) == (2, 4, "yes")
    assert np.array_equal(SoftPrompt.load(report["written"]).vector.values, -np.ones((2, 4)))


@PUBLISHED
def test_a_file_of_many_becomes_a_folder_each(taskspace):
    many = SHARED / "prompts_t5-small.safetensors"
    document = taskspace("prompt", "import", many, "--out", "mine", "--json").document
    assert len(document["prompts"]) == 17
    assert {report["backbone"] for report in document["prompts"]} == {"t5-small"}
    again = taskspace("prompt", "import", many, "--out", "mine")
    assert "is there already" in again.sentence


@pytest.mark.parametrize(("to", "out"), [("peft", "adapter"), ("npy", "table.npy"), ("embeds", "table.safetensors")])
def test_what_is_exported_is_read_back(taskspace, prompts, to, out):
    said = taskspace("prompt", "export", "sources/mood", "--to", to, "--out", out)
    assert (said.code, said.out) == (0, f"wrote {out}\n")
    assert taskspace("prompt", "import", out, "--out", "back", "--task", "again").code == 0
    assert np.array_equal(SoftPrompt.load("back/again").tokens, prompts["mood"].tokens)
    if to == "npy":
        assert np.array_equal(np.load(out), prompts["mood"].tokens)
    if to == "embeds":
        from safetensors.numpy import load_file

        assert np.array_equal(load_file(out)["inputs_embeds"], prompts["mood"].tokens)
    assert "is there already" in taskspace("prompt", "export", "sources/mood", "--to", to, "--out", out).sentence


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["combine", "sources", "--out", "sources/mood"], "is there already"),
        (["combine", "sources", "--method", "mean", "--out", "x"], "method 'mean'"),
        (["combine", "sources", "--weights", "1,2", "--out", "x"], "2 numbers for 3 prompts"),
        (["combine", "sources", "--weights", "1,two,3", "--out", "x"], "'two'"),
        (["combine", "sources", "--weights", "1,-1,0", "--method", "average", "--out", "x"], "add up to 0"),
        (["combine", "sources", "--scale", "far", "--out", "x"], "'far'"),
        (["combine", "sources", "--scale", "inf", "--out", "x"], "finite"),
        (["combine", "sources", "--scale", "search", "--out", "x"], "--validation"),
        (["combine", "sources", "--validation", "a.jsonl", "--out", "x"], "--scale search"),
        (["combine", "sources", "other", "--out", "x"], "tuned on"),
        (["combine", "sources/mood", "wide", "--out", "x"], "wide"),
        (["combine", "sources/mood", "longer", "--out", "x"], "tokens"),
        (["combine", "sources/mood", "--init", "longer", "--out", "x"], "tokens"),
        (["combine", "bare", "--out", "x"], "has no init"),
        (["combine", "sources/mood", "--density", "2", "--method", "ties", "--out", "x"], "density"),
        (["rank", "sources/mood"], "give prompts with --sources"),
        (["rank", "--sources", "sources"], "TARGET"),
        (["rank", "moody", "--sources", "sources"], "did you mean 'mood'"),
        (["rank", "mood", "--sources", "sources", "--measure", "poled"], "did you mean 'pooled'"),
        (["rank", "mood", "--sources", "sources", "--measure", "neighbours"], "give measured transfers"),
        (["rank", "mood", "--sources", "sources", "--compare", "tokens"], "'tokens'"),
        (["rank", "mood", "--sources", "sources", "--evaluate"], "--transfers"),
        (["rank", "mood", "--sources", "sources", "--transfers", "none.csv"], "none.csv"),
        (["rank", "sources/mood", "--sources", "other"], "whose embeddings are not known"),
        (["rank", "bare", "--sources", "sources", "--compare", "vectors"], "has no init"),
        (["import", "broken", "--out", "x"], "not a whole safetensors file"),
        (["import", "pickle.bin", "--out", "x"], "pickle of more than tensors"),
        (["import", "sources", "--out", "x"], "without adapter_config.json"),
        (["import", "sources/mood", "sources/trip", "--task", "one", "--out", "x"], "2 were given"),
        (["import", "sources/mood", "copy/mood", "--out", "x"], "two of the prompts would become"),
        (["import", "sources/mood", "--effective", "2", "--out", "x"], "leave effective"),
        (["import", "flat.npy", "--out", "x"], "flat.npy"),
        (["import", "none.npy", "--out", "x"], "there is no file none.npy"),
        (["export", "sources/mood", "--to", "onnx", "--out", "x"], "--to onnx"),
        (["export", "sources/mood", "--to", "npy", "--task-type", "CAUSAL_LM", "--out", "x"], "--task-type"),
        (["export", "sources/mood", "--task-type", "CAUSAL_LM", "--out", "x"], "does not fit"),
        (["export", "sources/mood", "--out", "flat.npy/x"], "flat.npy"),
    ],
)
def test_mistakes_are_one_sentence(taskspace, prompts, folder, one_sentence, words, told):
    spoil(folder, prompts["mood"])
    said = taskspace("prompt", *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.sentence
    assert one_sentence(said.sentence)
    assert not (folder / "x").exists() or not any((folder / "x").iterdir())


def spoil(folder, mood):
    """Prompts that do not fit, and files that are none."""
    elsewhere = BackboneId("org/other", "c0ffee", "encoder", 4, 100, "u" * 64)
    SoftPrompt(mood.tokens + 1, elsewhere, "other", mood.init, ("other",)).save(folder / "other")
    SoftPrompt(np.ones((3, 5)), None, "wide", np.zeros((3, 5)), ("wide",)).save(folder / "wide")
    SoftPrompt(np.ones((5, 4)), WHERE, "longer", np.zeros((5, 4)), ("longer",)).save(folder / "longer")
    SoftPrompt(np.ones((3, 4)), WHERE, "bare", tasks=("bare",)).save(folder / "bare")
    mood.save(folder / "copy" / "mood")
    mood.save(folder / "broken")
    (folder / "broken" / "adapter_model.safetensors").write_bytes(b"half a file")
    np.save(folder / "flat.npy", np.ones(4, dtype=np.float32))
    (folder / "pickle.bin").write_bytes(b"\x80\x04cposix\nsystem\n(X\x04\x00\x00\x00truetR.")


def test_a_vector_takes_no_file_s_place_and_nothing_is_written_where_it_cannot_be(taskspace, prompts, folder):
    (folder / "precious.safetensors").write_bytes(b"mine")
    words = ("prompt", "combine", "sources/mood", "--out", "x", "--vector")
    for place, told in (
        ("precious.safetensors", "is there already"), ("no/such/dir/v", "no file that can be written"),
        ("x", "where the prompt goes"),
    ):  # fmt: skip
        assert told in taskspace(*words, place).sentence
        assert not (folder / "x").exists()
    assert (folder / "precious.safetensors").read_bytes() == b"mine"


def test_an_export_takes_no_file_s_place_when_its_suffix_is_left_to_us(taskspace, prompts):
    for to, name in (("npy", "foo.npy"), ("embeds", "foo.safetensors")):
        words = ("prompt", "export", "sources/mood", "--to", to, "--out", "foo")
        assert taskspace(*words).out == f"wrote {name}\n"
        assert f"{name} is there already" in taskspace(*words).sentence
        assert taskspace(*words, "--force").code == 0


def test_the_kind_of_a_model_of_no_known_family_can_be_said(taskspace, folder, one_sentence):
    np.save(folder / "table.npy", np.ones((3, 4), dtype=np.float32))
    words = ("prompt", "import", "table.npy", "--backbone", "my-org/gte-small", "--out", "mine")
    refused = taskspace(*words).sentence
    assert "--backbone-kind" in refused
    assert one_sentence(refused)
    assert "did you mean 'encoder'" in taskspace(*words, "--backbone-kind", "encodr").sentence
    assert "give --backbone too" in taskspace(*words[:3], *words[5:], "--backbone-kind", "encoder").sentence
    assert taskspace(*words, "--backbone-kind", "encoder").code == 0
    known = SoftPrompt.load("mine/table").backbone
    assert (known.name, known.kind, known.width) == ("my-org/gte-small", "encoder", 4)


def test_a_folder_of_several_prompts_of_a_task_is_read(taskspace, prompts, folder):
    for seed in (0, 1):
        mood = prompts["mood"]
        SoftPrompt(mood.tokens + seed, WHERE, f"mood.{seed}", mood.init, ("mood",)).save(
            folder / "many" / f"mood.{seed}"
        )
    mood.save(folder / "many" / ".mood.1.9.part")
    said = taskspace("prompt", "combine", "many", "--out", "sum", "--json")
    assert said.document["weights"] == {"mood": 2.0}
