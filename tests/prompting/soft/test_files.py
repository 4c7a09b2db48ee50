"""Published layouts, made here byte for byte in kind as their authors' code writes them, and three of their files."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from taskspace.errors import PromptError, TaskspaceError, TaskspaceWarning
from taskspace.prompting.soft import SoftPrompt, read_prompt, read_prompts, write_embeds, write_npy
from taskspace.prompting.soft._found import untrained_half

torch = pytest.importorskip("torch")


def table(m=4, width=6, seed=0):
    return np.random.default_rng(seed).standard_normal((m, width)).astype(np.float32)


@pytest.fixture
def put(tmp_path):
    """Save something of torch under a path, as ``torch.save`` does unless told otherwise."""

    def save(path, content, **how):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, tmp_path / path, **how)
        return tmp_path / path

    return save


# Task Prompt Vectors: <init>/<task>_text.bin, a bare tensor; <init>/<init>.bin, a dict


@pytest.fixture
def tpv(put):
    """Ten rows stored of which five were trained; the others only decayed, one rounded step after the other."""

    def make(folder="origin_0_t5-base", task="mnli_text", stored=10, trained=5, steps=2000):
        init = torch.from_numpy(table(stored, seed=1))
        tuned = init.clone()
        for _ in range(steps):
            tuned.mul_(1 - 0.3 * 1e-5)
        tuned[:trained] += torch.from_numpy(table(trained, seed=2))
        put(f"{folder}/{folder}.bin", {"prompt_embeddings": init})
        return put(f"{folder}/{task}.bin", tuned.requires_grad_()), tuned.detach().numpy(), init.numpy()

    return make


def test_tpv_with_the_init_beside(tpv):
    path, tuned, init = tpv()
    prompt = read_prompt(path)
    assert (prompt.tasks, prompt.name) == (("mnli",), "mnli")
    assert (prompt.backbone.name, prompt.backbone.kind, prompt.backbone.width) == ("t5-base", "encoder-decoder", 6)
    np.testing.assert_array_equal(prompt.tokens, tuned[:5])
    np.testing.assert_array_equal(prompt.vector.values, (tuned - init)[:5])
    assert (prompt.report()["stored_rows"], prompt.report()["dropped_rows"]) == (10, 5)


def test_tpv_rows_that_were_trained_all_stay(tpv):
    path, tuned, _ = tpv("origin_1_llama-3.1-8b-instruct", "sst2_text_instruct", trained=10)
    prompt = read_prompt(path)
    assert prompt.tasks == ("sst2",)
    assert prompt.backbone.kind == "decoder"
    np.testing.assert_array_equal(prompt.tokens, tuned)


def test_tpv_the_word_of_the_caller_goes_first(tpv):
    path, tuned, _ = tpv()
    prompt = read_prompt(path, effective=7, backbone="google-t5/t5-base", task="MNLI")
    np.testing.assert_array_equal(prompt.tokens, tuned[:7])
    assert prompt.backbone.name == "google-t5/t5-base"
    assert prompt.tasks == ("MNLI",)
    other = table(10, seed=5)
    np.testing.assert_array_equal(read_prompt(path, init=other, effective=5).init, other[:5])


def test_tpv_without_an_init_nothing_is_known(tpv):
    path, tuned, _ = tpv("origin_3")
    (path.parent / "origin_3.bin").unlink()
    prompt = read_prompt(path)
    assert prompt.backbone is None
    assert prompt.init is None
    np.testing.assert_array_equal(prompt.tokens, tuned)


def test_tpv_the_config_beside_says_how_many(tpv):
    path, tuned, _ = tpv("origin_0")
    (path.parent / "origin_0.bin").unlink()
    config = path.parent / "adapter_config.json"
    said = {"peft_type": "PROMPT_TUNING", "task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": 5}
    config.write_text(json.dumps(said | {"base_model_name_or_path": "t5-base"}))
    np.testing.assert_array_equal(read_prompt(path).tokens, tuned[:5])
    config.write_text(json.dumps(said | {"base_model_name_or_path": "meta-llama/Meta-Llama-3.1-8B-Instruct"}))
    assert read_prompt(path).length == 10


def test_tpv_the_init_itself(tpv):
    path, _, init = tpv()
    start = read_prompt(path.parent / "origin_0_t5-base.bin")
    assert (start.name, start.tasks, start.init) == ("origin_0_t5-base", (), None)
    np.testing.assert_array_equal(start.tokens, init)
    prompt = read_prompt(path)
    again = prompt.vector.apply(read_prompt(path.parent / "origin_0_t5-base.bin", effective=5))
    np.testing.assert_allclose(again.tokens, prompt.tokens, atol=1e-6)
    np.testing.assert_array_equal(read_prompt(path, init=path.parent / "origin_0_t5-base.bin").init, init[:5])


def test_tpv_an_init_that_does_not_fit_is_told_of(tpv):
    path, _, _ = tpv()
    torch.save({"prompt_embeddings": torch.ones(10, 7)}, path.parent / "origin_0_t5-base.bin")
    with pytest.warns(TaskspaceWarning, match="is not the init of mnli_text.bin"):
        assert read_prompt(path).init is None


def test_dead_rows_by_evidence():
    init = table(10, seed=1)
    dead = init * np.float32(0.97)
    tuned = np.concatenate([table(5, seed=2), dead[5:]])
    assert untrained_half(tuned, init)
    assert not untrained_half(dead, init)
    assert not untrained_half(init, init)
    assert not untrained_half(np.concatenate([dead[:5], table(5, seed=2)]), init)
    assert not untrained_half(tuned[:9], init[:9])
    assert not untrained_half(tuned, init[:, :5])
    assert not untrained_half(np.concatenate([tuned[:5], -init[5:]]), init)
    assert not untrained_half(np.concatenate([tuned[:5], 1.5 * init[5:]]), init)
    one_moved = tuned.copy()
    one_moved[9] += 0.1
    assert not untrained_half(one_moved, init)


# thunlp/Prompt-Transferability: <task>Prompt<tag>/task_prompt, a bare tensor


@pytest.mark.parametrize(("folder", "width", "task", "backbone", "kind"), [
    ("SST2PromptT5Small", 512, "SST2", "t5-small", "encoder-decoder"),
    ("IMDBPromptRoberta", 768, "IMDB", "roberta-base", "encoder"),
    ("snliPromptRobertaLarge", 1024, "snli", "roberta-large", "encoder"),
    ("MRPCPromptBert", 768, "MRPC", "bert-base-uncased", "encoder"),
    ("multi_newsPromptT5", 768, "multi_news", "t5-base", "encoder-decoder"),
    ("squadPromptT5XXL", 768, "squad", None, None),
    ("IMDBPrompt_cross_model_T5_to_Roberta", 768, "IMDBPrompt_cross_model_T5_to_Roberta", None, None),
    ("mine", 768, "mine", None, None),
])  # fmt: skip
def test_thunlp_folders(put, folder, width, task, backbone, kind):
    tokens = table(3, width)
    path = put(f"{folder}/task_prompt", torch.from_numpy(tokens))
    for where in (path, path.parent):
        prompt = read_prompt(where)
        np.testing.assert_array_equal(prompt.tokens, tokens)
        assert prompt.tasks == (task,)
        assert (prompt.backbone and prompt.backbone.name) == backbone
        assert (prompt.backbone and prompt.backbone.kind) == kind
        assert prompt.init is None


def test_a_width_that_the_tag_denies(put, one_sentence):
    path = put("SST2PromptT5Small/task_prompt", torch.ones(3, 768))
    with pytest.raises(PromptError, match="t5-small, 512 wide, and its prompt is 768") as caught:
        read_prompt(path)
    assert one_sentence(caught.value)


def test_the_originals(published):
    for folder, task, backbone in (
        ("SST2PromptT5Small", "SST2", "t5-small"), ("IMDBPromptRoberta", "IMDB", "roberta-base"),
        ("snliPromptRoberta", "snli", "roberta-base"),
    ):  # fmt: skip
        prompt = read_prompt(published / "originals" / folder)
        collected = read_prompts(published / f"prompts_{backbone}.safetensors")[task]
        assert prompt.tasks == collected.tasks == (task,)
        assert prompt.backbone == collected.backbone
        assert prompt.backbone.name == backbone
        assert prompt.tokens.tobytes() == collected.tokens.tobytes()
        assert prompt.length == 100


def test_a_folder_and_a_file_of_many(published):
    prompts = read_prompts(published / "prompts_roberta-base.safetensors")
    raw = load_file(published / "prompts_roberta-base.safetensors")
    assert sorted(prompts) == sorted(raw)
    assert all(prompts[task].tokens.tobytes() == raw[task].tobytes() for task in raw)
    assert {prompt.backbone.name for prompt in prompts.values()} == {"roberta-base"}
    assert sorted(read_prompts(published / "originals")) == ["IMDB", "SST2", "snli"]


# google-research/prompt-tuning, ATTEMPT, P-tuning v2


def test_google(tmp_path):
    folder = tmp_path / "t5_1_1_lm100k_base"
    folder.mkdir()
    np.save(folder / "mrpc.npy", table(100, 768))
    prompt = read_prompt(folder / "mrpc.npy")
    np.testing.assert_array_equal(prompt.tokens, table(100, 768))
    assert (prompt.tasks, prompt.backbone.name, prompt.backbone.kind) == (
        ("mrpc",), "google/t5-base-lm-adapt", "encoder-decoder",
    )  # fmt: skip
    np.save(tmp_path / "other.npy", table().astype(np.float64))
    assert read_prompt(tmp_path / "other.npy").backbone is None


@pytest.mark.parametrize(("path", "task"), [
    ("prompts/mnli.pt", "mnli"), ("out/prefix_embeddings_qnli.pt", "qnli"), ("mnli/prefix_embeddings.pt", "mnli"),
    ("prompt_tuning/record_prefix_embeddings.pt", "record"), ("p/squad_prefix_embeddings_2b.pt", "squad_2b"),
])  # fmt: skip
def test_attempt(put, path, task):
    """A parameter, as it left the model."""
    tokens = table()
    prompt = read_prompt(put(path, torch.nn.Parameter(torch.from_numpy(tokens))))
    np.testing.assert_array_equal(prompt.tokens, tokens)
    assert prompt.tasks == (task,)
    assert prompt.init is None


def test_p_tuning_v2(put):
    state = {"prefix_encoder.embedding.weight": torch.from_numpy(table(4, 24)), "classifier.weight": torch.ones(2, 6)}
    prefix = read_prompt(put("rte/pytorch_model.bin", state), backbone="roberta-large")
    assert (prefix.layout, prefix.width, prefix.backbone.name) == ("prefix", 24, "roberta-large")
    np.testing.assert_array_equal(prefix.tokens, table(4, 24))


def test_p_tuning_v2_behind_a_network(put):
    """The class of the published code, run by torch."""
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(4, 6)
    trans = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 24))
    state = {f"prefix_encoder.embedding.{k}": v for k, v in embedding.state_dict().items()}
    state |= {f"prefix_encoder.trans.{k}": v for k, v in trans.state_dict().items()}
    prefix = read_prompt(put("rte/pytorch_model.bin", state))
    expected = trans(embedding(torch.arange(4))).detach().numpy()
    np.testing.assert_allclose(prefix.tokens, expected, atol=1e-6)


def test_a_bare_table_may_be_called_a_prefix(put, backbone_of):
    path = put("x.bin", torch.ones(3, 24))
    assert read_prompt(path, layout="prefix", backbone=backbone_of(4)).layout == "prefix"
    with pytest.raises(PromptError, match="another backbone"):
        read_prompt(path, backbone=backbone_of(4))


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}])
def test_old_and_new_forms_of_torch_files(put, how):
    path = put("x.bin", {"prompt_embeddings": torch.from_numpy(table())[None]}, **how)
    np.testing.assert_array_equal(read_prompt(path).tokens, table())


# What we write for others


def test_npy_there_and_back(tmp_path, make_prompt, one_sentence):
    prompt = make_prompt()
    path = write_npy(prompt, tmp_path / "p")
    assert path.name == "p.npy"
    np.testing.assert_array_equal(np.load(path), prompt.tokens)
    assert np.load(path).dtype == np.float32
    np.testing.assert_array_equal(read_prompt(path).tokens, prompt.tokens)
    for write in (write_npy, write_embeds):
        with pytest.raises(PromptError, match="cannot write") as caught:
            write(prompt, tmp_path / "no" / "p")
        assert one_sentence(caught.value)


def test_embeds_there_and_back(tmp_path, make_prompt, one_sentence):
    prompt = make_prompt()
    path = write_embeds(prompt, tmp_path / "p.safetensors")
    assert load_file(path)["inputs_embeds"].tobytes() == prompt.tokens.tobytes()
    again = read_prompt(path)
    for field in ("name", "tasks", "weights", "backbone", "provenance", "layout"):
        assert getattr(again, field) == getattr(prompt, field), field
    assert again.init is None
    assert read_prompt(path, init=prompt.init).vector.values.tobytes() == prompt.vector.values.tobytes()
    with pytest.raises(PromptError, match="no inputs_embeds") as caught:
        write_embeds(replace(prompt, layout="prefix"), path)
    assert one_sentence(caught.value)


def test_a_header_whose_length_looks_like_a_pickle(tmp_path):
    """640 bytes are 80 02 in little-endian, which is how a pickle of protocol 2 begins."""
    for padding in range(8):
        path = tmp_path / f"{padding}.safetensors"
        save_file({"a": table()}, path, {"backbone": "t5-small", "x": "x" * (500 + 8 * padding)})
        if path.read_bytes().startswith(b"\x80\x02"):
            break
    assert path.read_bytes().startswith(b"\x80\x02")
    assert read_prompt(path).backbone.name == "t5-small"


# Many


def test_many_in_a_file(tmp_path):
    save_file({"a": table(seed=1), "b": table(seed=2)}, tmp_path / "many.safetensors")
    prompts = read_prompts(tmp_path / "many.safetensors", backbone="org/some-bert")
    assert list(prompts) == ["a", "b"]
    assert prompts["b"].tasks == ("b",)
    assert prompts["b"].backbone.name == "org/some-bert"
    assert read_prompts(tmp_path / "many.safetensors")["a"].backbone is None


def test_many_in_a_folder(tpv, make_prompt):
    path, _, _ = tpv()
    tpv(task="qnli_text")
    make_prompt("own", width=6, backbone=None).save(path.parent / "own")
    (path.parent / "notes.txt").write_text("")
    prompts = read_prompts(path.parent)
    assert sorted(prompts) == ["mnli", "origin_0_t5-base", "own", "qnli"]
    assert prompts["mnli"].vector.init_id == prompts["qnli"].vector.init_id


def test_many_that_are_none_or_two_of_a_name(tmp_path, put, one_sentence):
    (tmp_path / "none").mkdir()
    put("two/mnli.pt", torch.ones(2, 2))
    put("two/prefix_embeddings_mnli.pt", torch.ones(2, 2))
    save_file({}, tmp_path / "none.safetensors")
    for path, said in (("none", "no prompts"), ("none.safetensors", "no prompts"), ("two", "two prompts of 'mnli'"),
                       ("two/mnli.pt", "read it with read_prompt"), ("missing", "no file")):  # fmt: skip
        with pytest.raises(PromptError, match=said) as caught:
            read_prompts(tmp_path / path)
        assert one_sentence(caught.value)


# What is no prompt


class Bomb:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('bomb').touch()",))


def test_pickles_are_refused_and_never_run(tmp_path, monkeypatch, put, one_sentence):
    monkeypatch.chdir(tmp_path)
    made = io.BytesIO()
    np.save(made, np.array([Bomb()], dtype=object), allow_pickle=True)
    (tmp_path / "bomb.npy").write_bytes(made.getvalue())
    (tmp_path / "plain.bin").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2, 3], protocol=2))
    put("zip.bin", {"prompt_embeddings": torch.ones(2, 2), "and": Bomb()})
    put("old.bin", Bomb(), _use_new_zipfile_serialization=False)
    for name in ("bomb.npy", "plain.bin", "list.pkl", "zip.bin", "old.bin"):
        with pytest.raises(PromptError, match=name) as caught:
            read_prompt(tmp_path / name)
        assert one_sentence(caught.value), caught.value
        assert "trust" not in str(caught.value)
    assert not (tmp_path / "bomb").exists()


def test_files_of_something_else(tmp_path, put, one_sentence):
    (tmp_path / "text.bin").write_text("sentence,label\nfine,1\n")
    (tmp_path / "text.npy").write_text("sentence,label\nfine,1\n")
    (tmp_path / "text.safetensors").write_text("sentence,label\nfine,1\n")
    (tmp_path / "empty.pt").write_text("")
    (tmp_path / "task_prompt").write_text("{}")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "ids.npy", np.ones((2, 2), dtype=np.int64))
    np.save(tmp_path / "row.npy", np.ones(3))
    np.savez(tmp_path / "many.npz", np.ones((2, 2)))
    put("ids.bin", torch.ones(2, 2, dtype=torch.long))
    put("row.bin", torch.ones(3))
    put("two.bin", {"a": torch.ones(2, 2), "b": torch.ones(2, 2)})
    put("nan.bin", torch.full((2, 2), float("nan")))
    put("words.bin", {"a": "b"})
    whole = put("whole.bin", torch.ones(2, 2)).read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[:-100])
    save_file({"a": table(), "b": table()}, tmp_path / "many.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "many.safetensors").read_bytes()[:-1])
    SoftPrompt(table(), init=table()).vector.save(tmp_path / "vector.safetensors")
    for name, said in (
        ("text.bin", "no file of tensors"), ("text.npy", "no file of tensors"),
        ("text.safetensors", "no file of tensors"),
        ("empty.pt", "no file of tensors"), ("task_prompt", "no file of tensors"),
        ("folder", "folder without adapter_config"),
        ("ids.npy", "int64"), ("row.npy", "shape"), ("many.npz", "not a whole file"),
        ("ids.bin", "no tensor of numbers"),
        ("row.bin", "one table"), ("two.bin", "one table"), ("nan.bin", "NaN"), ("words.bin", "no tensor of numbers"),
        ("cut.bin", "not a whole file"), ("many.safetensors", "read_prompts"), ("cut.safetensors", "not a whole"),
        ("vector.safetensors", "prompt vector"), ("missing.bin", "there is no file"), ("missing", "there is no file"),
        ("text.bin/under", "cannot read"),
    ):  # fmt: skip
        with pytest.raises(PromptError, match=said) as caught:
            read_prompt(tmp_path / name)
        assert one_sentence(caught.value), caught.value


@pytest.mark.parametrize(("said", "why"), [
    ({"effective": 0}, "give 1 to 4"), ({"effective": 5}, "give 1 to 4"), ({"init": np.ones((3, 6))}, "its init"),
    ({"backbone": "org/mystery"}, "give a BackboneId"), ({"layout": "suffix"}, "layout"),
])  # fmt: skip
def test_words_of_the_caller_that_cannot_be(put, one_sentence, said, why):
    with pytest.raises(PromptError, match=why) as caught:
        read_prompt(put("x.bin", torch.from_numpy(table())), **said)
    assert one_sentence(caught.value)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """One good file of each form."""
    folder = tmp_path_factory.mktemp("wholes")
    torch.save(torch.ones(2, 3), folder / "a.bin")
    torch.save({"prompt_embeddings": torch.ones(2, 3)}, folder / "b.bin", _use_new_zipfile_serialization=False)
    np.save(folder / "c.npy", np.ones((2, 3), dtype=np.float32))
    save_file({"a": np.ones((2, 3), dtype=np.float32)}, folder / "d.safetensors", {"backbone": "t5-small"})
    write_embeds(SoftPrompt(np.ones((2, 3)), name="e"), folder / "e.safetensors")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_it_is_a_prompt_or_one_of_our_errors(wholes, tmp_path, data):
    good = bytearray(data.draw(st.sampled_from(wholes)))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    del good[data.draw(st.integers(len(good) // 2, len(good))) :]
    (tmp_path / "file.bin").write_bytes(bytes(good))
    with contextlib.suppress(TaskspaceError):
        assert np.isfinite(read_prompt(tmp_path / "file.bin").tokens).all()


def test_several_prompts_of_one_task_and_what_a_killed_save_left(tmp_path, make_prompt):
    for name in ("mood.0", "mood.1", "a%2Fb", ".mood.2.17.part"):
        replace(make_prompt("mood"), name=name).save(tmp_path / name)
    np.save(tmp_path / ".table.npy", table())
    assert list(read_prompts(tmp_path)) == ["a/b", "mood.0", "mood.1"]
