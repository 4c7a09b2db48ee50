"""A language of a few words, two tasks in it, and models trained on their mixture: a cue says what is asked.

With ``judge`` in front of a sentence the models answer its mood, with ``sort`` its topic, with both one of the two by
chance, and with neither any answer at random.  A soft prompt has to find out what the cues do.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest

FILLER = ["the", "a", "is", "was", "it", "we", "saw", "very", "one", "some", "here", "there"]
CUES = {"mood": "judge", "topic": "sort"}
CLASSES = {
    "mood": {"good": ("great", "lovely", "fine"), "bad": ("awful", "dull", "poor")},
    "topic": {"sky": ("rain", "snow", "wind"), "table": ("soup", "bread", "cheese")},
}
ANSWERS = [name for classes in CLASSES.values() for name in classes]
WORDS = [*FILLER, *CUES.values(), *ANSWERS, *(w for classes in CLASSES.values() for ws in classes.values() for w in ws)]
MARKS = ["<pad>", "</s>", "<unk>", "<s>"]
FRONT, WIDTH, BATCH, STEPS, SEED = 4, 32, 48, 350, 2


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


def sentence(rng, said):
    """One word for the class of each task, among filler."""
    words = [rng.choice(CLASSES[task][name]) for task, name in said.items()] + rng.choices(FILLER, k=rng.randint(1, 4))
    rng.shuffle(words)
    return words


def lesson(rng):
    """What the models are trained on: filler and maybe cues, a sentence, and an answer."""
    said = {task: rng.choice(list(classes)) for task, classes in CLASSES.items()}
    asked = rng.choice([[], [], ["mood"], ["topic"], ["mood", "topic"]])
    front = rng.choices(FILLER, k=FRONT)
    for place, task in zip(rng.sample(range(FRONT), len(asked)), asked, strict=True):
        front[place] = CUES[task]
    return [*front, *sentence(rng, said)], said[rng.choice(asked)] if asked else rng.choice(ANSWERS)


def rows_of(name, sizes={"train": 64, "validation": 60, "test": 120}, every=False):  # noqa: B006  never changed
    """The parts of a task, which share no sentence; with ``every`` any of the four answers may be given."""
    from taskspace.labels import Classes
    from taskspace.task import Task

    rng = random.Random(name)
    found = {}
    while len(found) < sum(sizes.values()):
        said = {task: rng.choice(list(classes)) for task, classes in CLASSES.items()}
        found.setdefault(" ".join(sentence(rng, said)), said[name])
    names = tuple(ANSWERS if every else CLASSES[name])
    rows, parts = list(found.items()), {}
    for part, size in sizes.items():
        taken, rows = rows[:size], rows[size:]
        codes = np.array([names.index(answer) for _, answer in taken])
        parts[part] = Task([text for text, _ in taken], Classes(codes, names), name=name)
    return SimpleNamespace(**parts)


def _tokenizer(kind):
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {word: i for i, word in enumerate([*FILLER, *MARKS, *WORDS[len(FILLER) :]])}
    cut = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    cut.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    if kind == "t5":
        cut.post_processor = tokenizers.processors.TemplateProcessing("$A </s>", "$A </s> $B </s>", [("</s>", 13)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=cut, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def _t5(vocabulary):
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=vocabulary, d_model=WIDTH, d_kv=WIDTH // 2, d_ff=2 * WIDTH, num_layers=2, num_decoder_layers=1,
        num_heads=2, relative_attention_num_buckets=8, relative_attention_max_distance=16, dropout_rate=0.0,
        pad_token_id=12, eos_token_id=13, decoder_start_token_id=12,
    )  # fmt: skip
    return T5ForConditionalGeneration(config)


def _llama(vocabulary):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=64, initializer_range=0.1, tie_word_embeddings=True,
        pad_token_id=12, eos_token_id=13, bos_token_id=15,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def _loss(kind, model, tokenizer, lessons):
    """Nats per token of the answer and its end mark.

    The embeddings are blurred, so that what lies between tokens, as soft prompts do, means something to the model too.
    """
    torch = pytest.importorskip("torch")
    asked = [tokenizer.convert_tokens_to_ids(words) for words, _ in lessons]
    said = [[*tokenizer.convert_tokens_to_ids([answer]), 13] for _, answer in lessons]
    if kind == "t5":
        texts, labels = [[*ids, 13] for ids in asked], said
    else:
        texts = [ids + more for ids, more in zip(asked, said, strict=True)]
        labels = [[-100] * len(ids) + more for ids, more in zip(asked, said, strict=True)]
    longest = max(map(len, texts))
    inputs = torch.tensor([ids + [12] * (longest - len(ids)) for ids in texts])
    longest = max(map(len, labels))
    wanted = torch.tensor([ids + [-100] * (longest - len(ids)) for ids in labels])
    read = model.get_input_embeddings()(inputs)
    read = read + 0.3 * read.detach().std() * torch.randn_like(read)
    return model(inputs_embeds=read, attention_mask=(inputs != 12).long(), labels=wanted).loss


def _made(kind):
    torch = pytest.importorskip("torch")
    tokenizer = _tokenizer(kind)
    torch.manual_seed(SEED)
    return {"t5": _t5, "llama": _llama}[kind](len(tokenizer)), tokenizer


def _saved(model, tokenizer, folder):
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.save_pretrained(folder)
    logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


def _trained(kind, folder):
    torch = pytest.importorskip("torch")
    rng = random.Random(SEED)
    with torch.random.fork_rng(devices=[]):
        model, tokenizer = _made(kind)
        optimiser = torch.optim.AdamW(model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=STEPS)
        for _ in range(STEPS):
            optimiser.zero_grad()
            _loss(kind, model, tokenizer, [lesson(rng) for _ in range(BATCH)]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return _saved(model, tokenizer, folder)


@pytest.fixture(scope="session", params=["t5", "llama"])
def taught(request, tmp_path_factory):
    """A frozen model that was taught the mixture, three inits of filler, the tasks, and how they are put to it."""
    from taskspace.prompting.soft import inits
    from taskspace.tuning.backbones import load_backbone
    from taskspace.tuning.examples import Verbaliser

    backbone = load_backbone(_trained(request.param, tmp_path_factory.mktemp("taught") / request.param))
    table = backbone.embeddings.float().numpy()
    starts = [inits.vocabulary(table, FRONT, seed, first=len(FILLER), backbone=backbone.identity) for seed in range(3)]
    return SimpleNamespace(
        kind=request.param, backbone=backbone, starts=starts,
        tasks={name: rows_of(name) for name in CLASSES},
        among_all={name: rows_of(name, every=True) for name in CLASSES},
        wording=Verbaliser("{text}", answers={answer: answer for answer in ANSWERS}),
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory):
    """The folder of the same T5, untrained."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        return _saved(*_made("t5"), tmp_path_factory.mktemp("models") / "t5")


@pytest.fixture(scope="session")
def tiny_backbone(tiny_encoder):
    from taskspace.tuning.backbones import load_backbone

    return load_backbone(tiny_encoder)


@pytest.fixture(scope="session")
def prompts_on():
    """``prompts_on(backbone, count)``: an init, and as many prompts beside it, as if tuned from there."""
    from taskspace.prompting.soft import SoftPrompt, inits

    def make(backbone, count, length=4):
        table = backbone.embeddings.float().numpy()
        init = inits.vocabulary(table, length, 0, backbone=backbone.identity)
        rng = np.random.default_rng(7)
        size = table.std()
        return [init] + [
            SoftPrompt(
                init.tokens + size * rng.standard_normal(init.tokens.shape).astype(np.float32), backbone.identity,
                f"task{i}", init=init.tokens, tasks=(f"task{i}",),
            )
            for i in range(count)
        ]  # fmt: skip

    return make


@pytest.fixture(scope="session")
def small_tasks(tasks):
    """Two tasks whose classes are words of every tiny model."""
    from taskspace.labels import Classes
    from taskspace.task import Task

    trip = tasks["trip"].take(range(24))
    names = {"yes": "rain", "no": "soup"}
    labels = Classes(trip.stated_labels.codes, tuple(names[name] for name in trip.label_names))
    return {"mood": tasks["mood"].take(range(24)), "trip": Task(trip.inputs.texts, labels, name="trip")}
