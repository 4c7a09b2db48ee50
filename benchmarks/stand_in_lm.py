"""A small language model trained here from nothing, for machines that cannot fetch a real one.

A decoder of 1.6 million parameters learns from the *train* rows of sentiment, topic and a few other tasks,
put as instructions in many wordings, and from unlabelled texts; its word vectors start from the counts of
what stands near what in the same texts.  A seed meets wordings of ours and a random half of the packaged
prompts (none that is contradictory or ambiguous, none with examples); of these a random third is left out
and the others follow a Zipf law in random order.  So prompts truly differ in how well it follows them, and
not for every seed the same ones do.  Answers are always the true labels: no noise, and nothing set by hand
for a prompt.  What each seed has met stands in ``wordings.json`` beside the model.

The result is an ordinary ``transformers`` folder (Llama architecture, byte-level BPE, lower-cased).
Natural-language inference is left out to keep training short; ``--nli`` adds it.

    python benchmarks/stand_in_lm.py --seed 0        # ten to thirty minutes on one core; goes on where it stopped
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _common import DATA
from taskspace.labelers.prompts import Prompt, read_prompts

MODELS = Path(__file__).parent.parent / ".taskspace" / "stand_in"
SIZE = {
    "hidden_size": 144, "intermediate_size": 384, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 4,
}  # fmt: skip
VOCABULARY = 6000
CONTEXT = 128  # tokens in training; rotary positions let a longer text through, at a loss
MAX_WORDS = 50  # of each text in training
STEP_TOKENS = 1500
PEAK_RATE = 2e-3
SLOWER = 0.3  # learning rate of the word vectors, which know something already, over that of the rest
LM_WEIGHT, LM_SHARE = 0.3, 0.2  # of the language-modelling loss, and of the positions it is taken at
DROP_TOKEN = 0.1  # probability that a token's embedding is blanked in training
ZIPF = 1.0
PASSES = 0.7  # scales how often everything is read
KEPT_BACK = 100  # train rows of each task not trained on, to watch the training


@dataclass(frozen=True, eq=False)
class Wording:
    """A template with the answer strings of each label; ``open`` templates also serve a task with other labels."""

    kind: str
    template: str
    answers: dict[str, tuple[str, ...]]
    origin: str = "own"
    open: bool = False


def _sentiment(template: str, negative: str, positive: str, neutral: str = "okay") -> Wording:
    return Wording("sentiment", template, {"negative": (negative,), "neutral": (neutral,), "positive": (positive,)})


_PN = ("negative", "positive", "neutral")
OWN_SENTIMENT = (
    _sentiment("Review: {text}\nSentiment:", *_PN),
    _sentiment("{text}\nThe sentiment is", *_PN),
    _sentiment("Text: {text}\nLabel:", *_PN),
    _sentiment("{text}\nIs this text positive or negative?", *_PN),
    _sentiment("Is the following review positive or negative?\n{text}\nAnswer:", *_PN),
    _sentiment("Classify the sentiment of the sentence as {labels}.\nSentence: {text}\nSentiment:", *_PN),
    _sentiment("{text}\nThe tone of this sentence is", *_PN),
    _sentiment("Is the following text good or bad?\n{text}\nAnswer:", "bad", "good"),
    _sentiment("{text}\nIs this good or bad?", "bad", "good"),
    _sentiment("Read this review: {text}\nThe writer found it", "bad", "good"),
    _sentiment("{text} It was", "terrible", "great"),
    _sentiment("{text}\nOverall, the experience was", "terrible", "great"),
    _sentiment("Review: {text}\nIn one word, it is", "terrible", "great"),
    _sentiment("{text}\nDid the writer like it?", "no", "yes", "maybe"),
    _sentiment("Did the author of this review enjoy it? Answer yes or no.\n{text}\nAnswer:", "no", "yes", "maybe"),
    _sentiment("Question: Is this a positive review?\nReview: {text}\nAnswer:", "no", "yes", "maybe"),
    _sentiment("{text}\nWould you recommend it to a friend? Yes or no?", "no", "yes", "maybe"),
    _sentiment("Opinion: {text}\nThe writer is", "unhappy", "happy"),
    _sentiment("Does the text complain about something?\n{text}\nAnswer:", "yes", "no", "maybe"),
    _sentiment("{text}\nIs this a negative review? Yes or no?", "yes", "no", "maybe"),
)


def _topic(template: str, *names: str) -> Wording:
    labels = ("world", "sports", "business", "science and technology")
    answers = {label: (name,) for label, name in zip(labels, names, strict=True)}
    return Wording("topic", template, answers, open=True)


_TECH, _SCIENCE = ("world", "sports", "business", "technology"), ("world", "sports", "business", "science")
_FINANCE, _BOTH = ("international", "sport", "finance", "technology"), (*_TECH[:3], "science and technology")
OWN_TOPIC = (
    _topic("Article: {text}\nTopic:", *_TECH),
    _topic("{text}\nTopic:", *_BOTH),
    _topic("Text: {text}\nLabel:", *_TECH),
    _topic("{text}\nWhat is this text about?", *_TECH),
    _topic("Classify the text into one of these topics: {labels}.\n{text}\nTopic:", *_BOTH),
    _topic("Which of {labels} is this article about?\n{text}\nAnswer:", *_BOTH),
    _topic("News: {text}\nCategory:", *_SCIENCE),
    _topic("{text}\nThis is news about", *_SCIENCE),
    _topic("What is the category of this text? Choose from {labels}.\nText: {text}\nCategory:", *_TECH),
    _topic("{text}\nSection of the newspaper:", *_FINANCE),
    _topic("Headline: {text}\nThis belongs in the section", *_BOTH),
    _topic("Choose a tag for the text: {labels}.\n{text}\nTag:", *_FINANCE),
    _topic("{text}\nSubject:", *_BOTH),
    _topic("Question: What is the subject of this article?\n{text}\nAnswer:", *_SCIENCE),
    _topic("The following article is about {labels}.\n{text}\nIt is about", *_TECH),
)


def _nli(template: str, entailment: str, neutral: str, contradiction: str) -> Wording:
    names = {"entailment": (entailment,), "neutral": (neutral,), "contradiction": (contradiction,)}
    return Wording("nli", template, names)


_ENC, _TNF, _YMN = ("entailment", "neutral", "contradiction"), ("true", "neither", "false"), ("yes", "maybe", "no")
OWN_NLI = (
    _nli("Premise: {text}\nHypothesis: {text_pair}\nLabel:", *_ENC),
    _nli("Sentence 1: {text}\nSentence 2: {text_pair}\nRelation:", *_ENC),
    _nli("{text}\n{text_pair}\nIs this {labels}?", *_ENC),
    _nli("{text}\nQuestion: {text_pair} True, false or neither?\nAnswer:", *_TNF),
    _nli("Given that {text}\nIs it true that {text_pair}\nTrue, neither or false?", *_TNF),
    _nli("Premise: {text}\nThe claim that {text_pair}\nis", *_TNF),
    _nli("{text}\nDoes this mean that {text_pair} Yes, no or maybe?", *_YMN),
    _nli("Suppose {text}\nCan we infer that {text_pair}\nYes, maybe or no?", *_YMN),
    _nli("Premise: {text}\nHypothesis: {text_pair}\nDoes the premise entail the hypothesis?", *_YMN),
    _nli("Text: {text}\nClaim: {text_pair}\nIs the claim correct?", "correct", "uncertain", "incorrect"),
    _nli("{text}\nTherefore, {text_pair}\nAlways, sometimes or never?", "always", "sometimes", "never"),
)
OWN = {"sentiment": OWN_SENTIMENT, "topic": OWN_TOPIC, "nli": OWN_NLI}

OTHER = {
    "subj": ("{text}\nIs this sentence subjective or objective?", None),
    "sms_spam": ("Message: {text}\nIs it spam?", ("no", "yes")),
    "tweet_emotion": ("Tweet: {text}\nEmotion:", None),
    "trec": ("Question: {text}\nThe question asks about a", None),
}


@dataclass(frozen=True)
class Row:
    """One exercise; ``wording`` is a place in the pool of its kind, and a plain text has no ``answer``."""

    task: str
    kind: str
    wording: int
    question: str
    answer: str


# Task: kind and how many times its train rows are read.
PLAN = {
    "sst2": ("sentiment", 5), "rotten_tomatoes": ("sentiment", 5), "customer_reviews": ("sentiment", 5),
    "review_sentences": ("sentiment", 4), "airline_tweets": ("sentiment", 1), "financial_phrasebank": ("sentiment", 1),
    "ag_news": ("topic", 2.5), "dbpedia": ("topic", 0.3), "reuters_r8": ("topic", 0.3),
    "subj": ("other", 0.5), "sms_spam": ("other", 0.3), "tweet_emotion": ("other", 0.5), "trec": ("other", 0.5),
}  # fmt: skip
NLI_PLAN = {"snli": ("nli", 5), "sick": ("nli", 5)}


def packaged(kind: str) -> list[Wording]:
    """The prompts of a packaged set that mean what they say and show no examples."""
    sound = [p for p in read_prompts(kind).prompts if not p.examples and not is_odd(p)]
    return [Wording(kind, p.template, dict(p.answers), origin=p.name) for p in sound]


def is_odd(prompt: Prompt) -> bool:
    """Whether a packaged prompt is contradictory or ambiguous on purpose."""
    return prompt.note.startswith(("contradictory", "ambiguous"))


def pools(seed: int) -> dict[str, tuple[list[Wording], np.ndarray]]:
    """What this seed may meet, by kind: wordings, and how often each is drawn.

    A random half of the packaged prompts joins our own; a third of all is left out, and the others follow
    a Zipf law in random order.
    """
    rng = np.random.default_rng([seed, 1])
    drawn = {}
    for kind in sorted({kind for kind, _ in PLAN.values()} & set(OWN)):
        own, theirs = OWN[kind], packaged(kind)
        pool = [*own, *(theirs[i] for i in rng.permutation(len(theirs))[: len(theirs) // 2])]
        kept = rng.permutation(len(pool))[: math.ceil(2 * len(pool) / 3)]
        shares = np.zeros(len(pool))
        shares[kept] = 1 / np.arange(1, len(kept) + 1) ** ZIPF
        drawn[kind] = pool, shares / shares.sum()
    return drawn


def rows_of(data: Path, name: str) -> tuple[list[str], list[dict]]:
    folder = data / "tasks" / name
    labels = json.loads((folder / "task.json").read_text())["label_names"]
    with gzip.open(folder / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        return labels, [json.loads(line) for line in lines]


def plain_texts(data: Path) -> list[str]:
    with gzip.open(data / "unlabeled.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def cut(text: str | None) -> str | None:
    return text and " ".join(text.split()[:MAX_WORDS])


def usable(pool: list[Wording], shares: np.ndarray, labels: list[str]) -> tuple[list[Prompt], np.ndarray]:
    """The wordings that can ask for these labels, as prompts named by their place in the pool."""
    prompts, chances = [], []
    for place, (wording, share) in enumerate(zip(pool, shares, strict=True)):
        known = all(label in wording.answers for label in labels)
        if share and (known or wording.open):
            answers = {label: wording.answers[label] if known else (label,) for label in labels}
            prompts.append(Prompt(str(place), wording.template, answers))
            chances.append(share)
    return prompts, np.array(chances) / sum(chances)


def solved(name: str, rows: list[dict], labels: list[str], drawn: dict, rng: np.random.Generator) -> list[Row]:
    """Each row in a wording of its own."""
    kind = PLAN[name][0]
    if kind == "other":
        template, words = OTHER[name]
        pool, shares = [Wording(kind, template, dict(zip(labels, ((w,) for w in words or labels), strict=True)))], [1.0]
    else:
        pool, shares = drawn[kind]
    prompts, chances = usable(pool, shares, labels)
    done = []
    for row in rows:
        prompt = prompts[rng.choice(len(prompts), p=chances)]
        words = prompt.answers[row["label_name"]]
        asked = prompt.question(cut(row["text"]), cut(row["text_pair"]))
        done.append(Row(name, kind, int(prompt.name), asked, str(rng.choice(words))))
    return done


def lesson(data: Path, seed: int, passes: float) -> tuple[list[Row], list[Row]]:
    """All that is read in training, and rows kept back to watch it."""
    rng = np.random.default_rng([seed, 2])
    drawn = pools(seed)
    taught: list[Row] = []
    watched: list[Row] = []
    for name, (_, times) in PLAN.items():
        labels, rows = rows_of(data, name)
        back, rows = rows[:KEPT_BACK], rows[KEPT_BACK:]
        wanted = round(times * passes * len(rows))
        order = np.concatenate([rng.permutation(len(rows)) for _ in range(wanted // len(rows) + 1)])[:wanted]
        taught += solved(name, [rows[i] for i in order], labels, drawn, rng)
        watched += solved(name, back, labels, drawn, rng)
    texts = plain_texts(data)
    some = rng.permutation(len(texts))[: round(min(passes, 1.0) * len(texts))]
    return taught + [Row("text", "text", 0, cut(texts[i]), "") for i in some], watched


def training_texts(data: Path) -> list[str]:
    """All texts that may be read in training, without labels."""
    texts = plain_texts(data)
    for name in PLAN:
        texts += [cut(part) for row in rows_of(data, name)[1] for part in (row["text"], row["text_pair"]) if part]
    return texts


def tokenizer_for(data: Path):
    """Byte-level BPE over all that the model may read in training, the same for every seed."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer(models.BPE())
    bare.normalizer = normalizers.Lowercase()
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    texts = training_texts(data)
    wordings = [w for kind, own in OWN.items() for w in (*own, *packaged(kind))]
    texts += [" ".join((w.template, *(a for words in w.answers.values() for a in words))) for w in wordings] * 100
    bare.train_from_iterator(texts, trainer)
    bare.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", bare.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=1024
    )  # fmt: skip


def encoded(rows: list[Row], tokenizer) -> list[tuple[np.ndarray, int]]:
    """Token ids of question, answer and end, and where the answer begins (the length where there is none)."""
    bare = tokenizer.backend_tokenizer
    questions = [e.ids for e in bare.encode_batch([row.question for row in rows])]
    told = [f" {row.answer}" if row.answer else "" for row in rows]
    answers = [e.ids for e in bare.encode_batch(told, add_special_tokens=False)]
    end = tokenizer.eos_token_id
    pairs = []
    for question, answer in zip(questions, answers, strict=True):
        ids = np.array([*question, *answer, end], dtype=np.int64)
        pairs.append((ids, len(question) if answer else len(ids)))
    return [pair for pair in pairs if len(pair[0]) <= CONTEXT]


def batches(rows: list[tuple[np.ndarray, int]], seed: int) -> list[list[int]]:
    """Row numbers of each step: rows of similar length together, steps in random order."""
    rng = np.random.default_rng([seed, 3])
    order = rng.permutation(len(rows))
    steps: list[list[int]] = []
    for window in np.array_split(order, max(1, len(order) // 4000)):
        step: list[int] = []
        for i in sorted(window, key=lambda i: len(rows[i][0])):
            if step and (len(step) + 1) * len(rows[i][0]) > STEP_TOKENS:
                steps.append(step)
                step = []
            step.append(int(i))
        steps.append(step)
    return [steps[i] for i in rng.permutation(len(steps))]


def padded(rows: list[tuple[np.ndarray, int]], fill: int):
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = np.full((len(rows), width), fill)
    answer = np.zeros((len(rows), width), dtype=bool)
    for i, (own, start) in enumerate(rows):
        ids[i, : len(own)] = own
        answer[i, start : len(own)] = start < len(own)
    return torch.from_numpy(ids), torch.from_numpy(answer)


def word_vectors(tokenizer, data: Path) -> np.ndarray:
    """float32[tokens, hidden]: what stands near what in the texts, without any label (PPMI and SVD).

    Levy, Goldberg and Dagan 2015: windows of five, contexts smoothed by 0.75, the root of the singular values.
    They spare the decoder a part of the reading that a real one has done.
    """
    from scipy import sparse
    from sklearn.utils.extmath import randomized_svd

    texts = training_texts(data)
    ids = [e.ids for e in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]
    gap = [-1] * 5
    flat = np.concatenate([np.array([*row, *gap]) for row in ids])
    size = len(tokenizer)
    counts = sparse.csr_matrix((size, size))
    for step in range(1, 6):
        one, other = flat[:-step], flat[step:]
        real = (one >= 0) & (other >= 0)
        met = sparse.coo_matrix((np.ones(real.sum()), (one[real], other[real])), shape=(size, size)).tocsr()
        counts = counts + met + met.T
    table = counts.tocoo()
    often = np.asarray(counts.sum(axis=1)).ravel()
    context = often**0.75 / (often**0.75).sum()
    information = np.log(table.data / (often[table.row] * context[table.col]))
    kept = information > 0
    ppmi = sparse.coo_matrix((information[kept], (table.row[kept], table.col[kept])), shape=(size, size)).tocsr()
    left, strengths, _ = randomized_svd(ppmi, SIZE["hidden_size"], n_iter=3, random_state=0)
    vectors = left * np.sqrt(strengths)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def new_model(tokenizer, seed: int, vectors: np.ndarray):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=1024, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, **SIZE,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(torch.from_numpy(vectors))
    return model


def losses(model, ids, answer, pad: int, drop: float, share: float):
    """Mean negative log-likelihood (nats) of answer tokens, and of a random share of all others."""
    import torch
    from torch.nn import functional as F

    embedded = model.get_input_embeddings()(ids)
    if drop:
        keep = torch.rand(ids.shape) >= drop
        embedded = F.dropout(embedded, drop) * keep[..., None]
    # Rows are padded on the right: causal attention alone keeps padding out of every real position.
    hidden = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state[:, :-1]
    target, answer = ids[:, 1:], answer[:, 1:]
    others = (target != pad) & ~answer & (torch.rand(target.shape) < share)

    def mean(where):
        if not where.any():
            return torch.zeros(())
        return F.cross_entropy(model.lm_head(hidden[where]), target[where])

    return mean(answer), mean(others)


def train(data: Path, seed: int, folder: Path, passes: float, every: int = 250) -> None:
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_for(data)
    taught, watched = lesson(data, seed, passes)
    rows = encoded(taught, tokenizer)
    steps = batches(rows, seed)
    model = new_model(tokenizer, seed, word_vectors(tokenizer, data))
    words = model.get_input_embeddings().weight
    rest = [p for p in model.parameters() if p is not words]
    groups = [
        {"params": [words], "lr": PEAK_RATE * SLOWER, "weight_decay": 0.0},
        {"params": [p for p in rest if p.dim() > 1], "weight_decay": 0.05},
        {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.98))
    warm = max(1, len(steps) // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * min(1.0, s / len(steps))))
    )
    first = 0
    resume = folder / "training.pt"
    if resume.exists():
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        first = state["step"]
    tokens = sum(len(ids) for ids, _ in rows)
    count = sum(p.numel() for p in model.parameters())
    print(f"seed {seed}: {count:,} parameters, {len(rows):,} rows, {tokens:,} tokens, {len(steps):,} steps", flush=True)
    began, seen = time.perf_counter(), []
    model.train()
    for number in range(first, len(steps)):
        torch.manual_seed(seed * 1_000_003 + number)
        ids, answer = padded([rows[i] for i in steps[number]], tokenizer.pad_token_id)
        told, read = losses(model, ids, answer, tokenizer.pad_token_id, DROP_TOKEN, LM_SHARE)
        (told + LM_WEIGHT * read).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        seen.append((told.item(), read.item()))
        if (number + 1) % every == 0 or number + 1 == len(steps):
            told, read = np.mean(seen, axis=0)
            spent = time.perf_counter() - began
            print(f"  step {number + 1}: answers {told:.3f}, text {read:.3f} nats a token; {spent:.0f} s", flush=True)
            seen = []
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "schedule": schedule.state_dict(), "step": number + 1}, resume)
    model.eval()
    print(f"  kept-back train rows: {accuracy(model, tokenizer, watched)}", flush=True)
    save(folder, model, tokenizer, seed, taught, passes)
    resume.unlink()


def accuracy(model, tokenizer, watched: list[Row]) -> dict[str, float]:
    """Share of kept-back rows whose true answer begins with the likeliest first token among the answers seen."""
    import torch

    hits: dict[str, list[bool]] = {}
    for row in watched:
        words = sorted({r.answer for r in watched if (r.task, r.wording) == (row.task, row.wording)})
        heads = [tokenizer.encode(f" {w}", add_special_tokens=False)[0] for w in words]
        with torch.inference_mode():
            logits = model(torch.tensor([tokenizer.encode(row.question)[:CONTEXT]])).logits[0, -1]
        said = heads[int(logits[heads].argmax())]
        hits.setdefault(row.task, []).append(said == heads[words.index(row.answer)])
    return {name: round(float(np.mean(own)), 2) for name, own in hits.items()}


def save(folder: Path, model, tokenizer, seed: int, taught: list[Row], passes: float) -> None:
    met = Counter((row.kind, row.wording) for row in taught)
    wordings = [
        {"kind": kind, "origin": w.origin, "template": w.template, "answers": w.answers, "rows": met[kind, place]}
        for kind, (pool, _) in pools(seed).items()
        for place, w in enumerate(pool)
    ]
    about = {"seed": seed, "passes": passes, "plan": PLAN, "wordings": wordings}
    (folder / "wordings.json").write_text(json.dumps(about, indent=1) + "\n")
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def stand_in(seed: int, data: Path = DATA, models: Path = MODELS, passes: float = PASSES) -> Path:
    """The folder of this seed's model, trained first if it is not there."""
    folder = models / f"seed-{seed}"
    if not (folder / "model.safetensors").exists():
        train(data, seed, folder, passes)
    return folder


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--passes", type=float, default=PASSES, help="scales how often everything is read")
    parser.add_argument("--nli", action="store_true", help="teach natural-language inference too")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    PLAN.update(NLI_PLAN if args.nli else {})
    print(stand_in(args.seed, args.data, args.models, args.passes))


if __name__ == "__main__":
    main()
