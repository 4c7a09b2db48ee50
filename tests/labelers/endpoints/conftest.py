"""A microscopic decoder behind an OpenAI-shaped server on loopback, into which faults can be put."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("httpx")

SENTENCES = [
    "Review: the film was good and the bread was fine. Sentiment: good",
    "Review: the rain was bad and the soup was awful. Sentiment: bad",
    "Say positive, negative or mixed. The mood is positive. The mood is negative.",
    "Question: is it true? Answer: yes. Question: is it false? Answer: no. It is not sure.",
    "user assistant system very good very bad So the answer is good",
] * 3
CHAT = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory):
    """The folder of a random two-layer decoder with a byte-level BPE that puts ``<s>`` before every text."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import TemplateProcessing

    torch.set_num_threads(1)
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(SENTENCES, vocab_size=340, min_frequency=2, special_tokens=["<s>", "</s>"])
    start = bpe.token_to_id("<s>")
    bpe._tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", start)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = CHAT
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3, bos_token_id=start,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = transformers.LlamaForCausalLM(config)
    folder = tmp_path_factory.mktemp("decoder")
    bars = transformers.utils.logging
    bars.disable_progress_bar()
    model.save_pretrained(folder)
    bars.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


class Brain:
    """The model as the server and the slow reference of the tests use it."""

    def __init__(self, folder) -> None:
        import torch
        import transformers

        bars = transformers.utils.logging
        bars.disable_progress_bar()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        bars.enable_progress_bar()
        self.torch, self.lock, self.known = torch, threading.Lock(), {}

    def log_probs(self, ids: list[int]):
        """float[len(ids), vocabulary]: of the token after each place."""
        with self.lock, self.torch.inference_mode():
            if tuple(ids) not in self.known:
                logits = self.model(self.torch.tensor([ids])).logits[0].double()
                self.known[tuple(ids)] = self.torch.log_softmax(logits, -1)
            return self.known[tuple(ids)]

    def shown(self, token: int) -> str:
        return self.tokenizer.decode([token], clean_up_tokenization_spaces=False)

    def greedy(self, ids: list[int], count: int):
        """New tokens with their log-probabilities and those of all rivals."""
        new: list[tuple[int, Any]] = []
        for _ in range(count):
            row = self.log_probs(ids + [token for token, _ in new])[-1]
            token = int(row.argmax())
            if token == self.tokenizer.eos_token_id:
                break
            new.append((token, row))
        return new

    def slowly(self, context: str, answer: str) -> tuple[float, int]:
        """Teacher forcing token by token: one pass for each, of the tokens that begin at the end of the context."""
        whole = self.tokenizer(f"{context} {answer}", return_offsets_mapping=True)
        ids, spans = whole["input_ids"], whole["offset_mapping"]
        places = [i for i, (start, _) in enumerate(spans) if i and start >= len(context)]
        assert spans[places[0]][0] == len(context)
        return sum(float(self.log_probs(ids[:i])[-1, ids[i]]) for i in places), len(places)


@pytest.fixture(scope="session")
def brain(tiny_decoder):
    return Brain(tiny_decoder)


@dataclass
class Fault:
    """An answer in place of the true one; ``cut`` closes the connection amid it, ``seconds`` come before."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    seconds: float = 0.0


class Server:
    """``before(path, body, number)`` may give a :class:`Fault`, ``after(reply)`` changes true replies."""

    def __init__(self, brain: Brain) -> None:
        self.brain = brain
        self.before = lambda path, body, number: None
        self.after = lambda reply: reply
        self.requests: list[tuple[str, dict]] = []
        self.keys: list[str | None] = []
        self.release = threading.Event()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads, self._http.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def calls(self) -> int:
        return len(self.requests)

    def note(self, path: str, body: dict, key: str | None) -> int:
        with self._lock:
            self.requests.append((path, body))
            self.keys.append(key)
            return len(self.requests)

    def close(self) -> None:
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def reply(self, path: str, body: dict) -> dict | Fault:
        if path.endswith("/chat/completions"):
            made = self._chat(body)
        elif path.endswith("/completions"):
            made = self._plain(body)
        else:
            return Fault(404, {"error": {"message": "Not Found"}})
        return self.after(made)

    def _chat(self, body: dict) -> dict:
        ids = self.brain.tokenizer.apply_chat_template(body["messages"], add_generation_prompt=True, return_dict=True)[
            "input_ids"
        ]
        new = self.brain.greedy(ids, body["max_tokens"])
        text = self.brain.tokenizer.decode([token for token, _ in new])
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
        choice["finish_reason"] = "length" if len(new) == body["max_tokens"] else "stop"
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [self._place(t, row, body["top_logprobs"]) for t, row in new]}
        return {"choices": [choice], "usage": {"prompt_tokens": len(ids), "completion_tokens": len(new)}}

    def _place(self, token, row, count) -> dict:
        values, tokens = row.topk(count)
        rivals = zip(tokens.tolist(), values.tolist(), strict=True)
        top = [{"token": self.brain.shown(t), "logprob": v} for t, v in rivals]
        return {"token": self.brain.shown(token), "logprob": float(row[token]), "top_logprobs": top}

    def _plain(self, body: dict) -> dict:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        made = [self._completed(prompt, body) for prompt in prompts]
        choices = [{"index": i, "finish_reason": "length"} | choice for i, (choice, *_) in enumerate(made)]
        usage = {"prompt_tokens": sum(n for _, n, _ in made), "completion_tokens": sum(n for *_, n in made)}
        return {"choices": choices[::-1], "usage": usage}

    def _completed(self, prompt: str, body: dict) -> tuple[dict, int, int]:
        ids = self.brain.tokenizer(prompt)["input_ids"]
        new = self.brain.greedy(ids, body["max_tokens"])
        text = self.brain.tokenizer.decode([token for token, _ in new])
        tokens, values, rivals = [], [], []
        if body.get("echo"):
            rows = self.brain.log_probs(ids)
            tokens = [self.brain.shown(token) for token in ids]
            values = [None] + [float(rows[i - 1, ids[i]]) for i in range(1, len(ids))]
            rivals = [None] * len(ids)
            text = prompt + text
        tokens += [self.brain.shown(token) for token, _ in new]
        values += [float(row[token]) for token, row in new]
        for _, row in new:
            best = row.topk(body.get("logprobs") or 1)
            named = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            rivals.append({self.brain.shown(t): v for t, v in named})
        # offsets as a known server counts them: by the length of what is shown, "<s>" included
        offsets = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
        given = {"tokens": tokens, "token_logprobs": values, "top_logprobs": rivals, "text_offset": offsets}
        return {"text": text, "logprobs": given if body.get("logprobs") else None}, len(ids), len(new)


def _handler(server: Server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):  # noqa: N802
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = server.note(self.path, body, self.headers.get("Authorization"))
            answer = server.before(self.path, body, number) or server.reply(self.path, body)
            fault = answer if isinstance(answer, Fault) else Fault(body=answer)
            if fault.seconds:
                server.release.wait(fault.seconds)
            content = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
            try:
                self._send(fault, content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(self, fault, content):
            self.send_response(fault.status)
            for name, value in fault.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + (100 if fault.cut else 0)))
            self.end_headers()
            self.wfile.write(content)
            if fault.cut:
                self.wfile.flush()
                self.close_connection = True

        def log_message(self, *arguments):
            pass

    return Handler


@pytest.fixture
def server(brain, monkeypatch):
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    running = Server(brain)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """No waiting between tries; how long it would have been."""
    from taskspace.labelers.endpoints import _client

    waited: list[float] = []

    def pause(seconds, stop):
        waited.append(seconds)
        time.sleep(0)

    monkeypatch.setattr(_client, "pause", pause)
    return waited


@pytest.fixture
def make_prompt():
    from taskspace.labelers.prompts._prompt import Prompt

    def make(chat=False, **fields):
        usual = {
            "template": "Review: {text}\nSentiment:",
            "answers": {"plus": ("good", "very good"), "minus": ("bad",)},
        }
        return Prompt("mood", **(usual | fields), chat=chat)

    return make


@pytest.fixture
def make_inputs():
    from taskspace.task import Inputs

    def make(count=3):
        words = ["film", "bread", "soup", "rain", "road", "caf\u00e9 \U0001f600"]
        return Inputs.of([f"the {words[i % len(words)]} was fine, number {i}" for i in range(count)])

    return make


@pytest.fixture
def fault():
    return Fault
