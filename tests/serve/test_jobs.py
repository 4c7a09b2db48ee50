"""Rows in, an embedding and a ranking out, in a process that may die; for whoever has the token."""

from __future__ import annotations

import json
import logging
import os
import time

import numpy as np
import pytest
from starlette.testclient import TestClient

from taskspace.atlas import Atlas
from taskspace.embedding import TaskEmbedding
from taskspace.serve import Limits, create_app

TOKEN = "open-sesame"
BEARER = {"authorization": f"Bearer {TOKEN}"}
ROWS = b'{"text": "what a film", "label": "good"}\n{"text": "two dull hours", "label": "bad"}\n'


def rows(word):
    """Rows that hold a word, by which the process that stands in for embedding knows what to do."""
    return ROWS + json.dumps({"text": f"please {word}", "label": "good"}).encode()


@pytest.fixture
def embedding(serving, filled, fake_worker):
    """A client that is allowed to embed; ``limits`` as they are given."""

    def start(**limits):
        return serving(filled, allow_embed=True, token=TOKEN, limits=Limits(**limits))

    return start


def post(client, body=ROWS, headers=BEARER, **query):
    return client.post("/v1/embed", params={"space": "response", **query}, content=body, headers=headers)


def finished(client, accepted, within=60.0):
    assert accepted.status_code == 202, accepted.text
    where, end = accepted.json()["at"], time.monotonic() + within
    while time.monotonic() < end:
        job = client.get(where, headers=BEARER).json()
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"{job} after {within} seconds")


def test_without_leave_nothing_is_embedded(client, refused):
    for headers in ({}, BEARER):
        assert "--allow-embed" in refused(post(client, headers=headers), 403, "NotAllowed")
        refused(client.get("/v1/jobs/any", headers=headers), 403, "NotAllowed")


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer "},
        {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN.upper()}"}, {"authorization": TOKEN}, {"authorization": f"Basic {TOKEN}"},
        {"cookie": f"token={TOKEN}"}, {"x-token": TOKEN}, {"authorization": "Bearer \u00fcn\u00ef".encode("latin-1")},
    ],
)  # fmt: skip
def test_missing_and_wrong_tokens(embedding, refused, headers):
    client = embedding()
    for answer in (post(client, headers=headers), client.get("/v1/jobs/any", headers=headers)):
        refused(answer, 401, "BadToken")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.app.state.service.jobs.embedder.pid is None


def test_embedding_without_a_token_is_not_offered(filled, one_sentence):
    from taskspace.errors import SettingError

    for token in (None, ""):
        with pytest.raises(SettingError, match="token") as raised:
            create_app(filled, allow_embed=True, token=token)
        assert one_sentence(raised.value)


def test_rows_become_an_embedding_and_a_ranking(embedding, filled):
    client = embedding()
    accepted = post(client, name="mine", k=4)
    assert accepted.json()["status"] == "queued"
    job = finished(client, accepted)
    assert (job["status"], job["problem"]) == ("done", None)
    made = job["embedding"]
    assert made["vector"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert made["provenance"]["odd"] is None  # NaN, which JSON does not have
    with Atlas(filled) as atlas:
        space = atlas.space_id("response")
        vector = np.arange(1, 7, dtype=np.float32)
        asked = TaskEmbedding("mine", "dataset", space, vector, (("all", 6),), "posted content", {})
        assert job["ranking"] == atlas.rank(asked, k=4).to_dict()
        assert len(atlas) == 16  # nothing was stored
    assert len(job["ranking"]["hits"]) == 4


def test_a_process_that_dies_fails_its_job_alone(embedding):
    client = embedding()
    first = finished(client, post(client))
    died = finished(client, post(client, rows("crash")))
    assert (died["status"], died["embedding"], died["ranking"]) == ("failed", None, None)
    assert "died" in died["problem"]
    again = finished(client, post(client))
    assert again["status"] == "done"
    assert first["embedding"]["provenance"]["pid"] != again["embedding"]["provenance"]["pid"]
    assert client.get("/v1/health").status_code == 200


def test_the_process_lives_on_between_jobs(embedding):
    client = embedding()
    pids = {finished(client, post(client))["embedding"]["provenance"]["pid"] for _ in range(3)}
    assert len(pids) == 1
    refused = finished(client, post(client, rows("refuse")))
    assert refused["problem"] == "these rows say nothing; send others"
    broken = finished(client, post(client, rows("break")))
    assert "log" in broken["problem"]
    assert finished(client, post(client))["embedding"]["provenance"]["pid"] in pids


def test_a_job_that_takes_too_long_is_stopped(embedding):
    client = embedding(job_seconds=0.5)
    slow = finished(client, post(client, rows("hang")))
    assert slow["status"] == "failed"
    assert "0.5 seconds" in slow["problem"]
    assert finished(client, post(client))["status"] == "done"


def test_an_answer_that_is_none(embedding):
    client = embedding()
    assert "died" in finished(client, post(client, rows("garble")))["problem"]
    assert finished(client, post(client))["status"] == "done"


def test_a_space_that_cannot_be_opened_is_told_in_the_log_only(embedding, filled, tmp_path, own, serving, caplog):
    own.with_name("own.db.closed").touch()
    client = serving(own, allow_embed=True, token=TOKEN)
    with caplog.at_level(logging.ERROR, logger="taskspace.serve"):
        job = finished(client, post(client))
    assert "cannot be opened" in job["problem"]
    assert "/home" not in job["problem"]
    assert "/home/somebody/models/own is gone" in caplog.text


def test_the_line_is_only_so_long(embedding, refused):
    client = embedding(queue=2, jobs_per_minute=100)
    first, second = (post(client, rows("hang")) for _ in range(2))
    third = post(client)
    assert "2 jobs" in refused(third, 503, "Busy")
    assert int(third.headers["retry-after"]) > 0
    assert client.get("/v1/near", params={"name": "imdb"}).status_code == 200
    statuses = [client.get(job.json()["at"], headers=BEARER).json()["status"] for job in (first, second)]
    assert statuses[1] == "queued"


def test_so_many_jobs_a_minute(embedding, refused):
    client = embedding(jobs_per_minute=3)
    answers = [post(client, body) for body in (ROWS, b"no json", rows("refuse"), ROWS)]
    assert [answer.status_code for answer in answers] == [202, 400, 202, 429]
    assert "3 jobs a minute" in refused(answers[3], 429, "TooMany")
    assert 0 < int(answers[3].headers["retry-after"]) <= 60
    assert client.get("/v1/health").status_code == 200


def test_more_than_may_be_sent(embedding, refused):
    client = embedding(body=len(ROWS), jobs_per_minute=100)
    assert post(client).status_code == 202
    assert f"{len(ROWS):,} bytes" in refused(post(client, ROWS + b"\n"), 413, "TooLong")
    chunks = (ROWS[i : i + 7] for i in range(0, len(ROWS), 7))
    assert client.post("/v1/embed?space=response", content=chunks, headers=BEARER).status_code == 202
    refused(client.post("/v1/embed?space=response", content=iter([ROWS, b"x"]), headers=BEARER), 413, "TooLong")


def test_rows_that_are_no_task_are_refused_at_once(embedding, refused):
    client = embedding(rows=2, jobs_per_minute=100)
    assert "line 1" in refused(post(client, b"no json"), 400, "DataError")
    assert "3 rows" in refused(post(client, rows("hang")), 413, "TooLong")
    refused(post(client, space="nowhere"), 404, "UnknownSpace")
    refused(post(client, k=0), 400, "BadParameter")
    assert client.app.state.service.jobs.embedder.pid is None


def test_results_are_kept_in_a_bounded_number(embedding, refused):
    client = embedding(kept=2, jobs_per_minute=100)
    jobs = []
    for _ in range(4):
        jobs.append(post(client))
        finished(client, jobs[-1])
    statuses = [client.get(job.json()["at"], headers=BEARER).status_code for job in jobs]
    assert statuses == [404, 404, 200, 200]


def test_and_for_a_bounded_time(embedding, refused, monkeypatch):
    client = embedding(kept_seconds=1000.0)
    accepted = post(client)
    finished(client, accepted)
    later = time.monotonic() + 1001
    monkeypatch.setattr("taskspace.serve.jobs.time.monotonic", lambda: later)
    refused(client.get(accepted.json()["at"], headers=BEARER), 404, "UnknownJob")


def test_a_name_that_is_also_stored(embedding):
    client = embedding()
    ranking = finished(client, post(client, name="sst2", k=100))["ranking"]
    assert "sst2" not in [hit["name"] for hit in ranking["hits"]]
    assert any("left out as the target itself: 'sst2'" in note for note in ranking["notes"])


def test_nothing_of_the_rows_stays(embedding, tmp_path, filled):
    """Neither on disk, nor in the job once it has ended."""
    before = {path: path.read_bytes() for path in filled.parent.iterdir()}
    client = embedding()
    body = ROWS.replace(b"what a film", b"a-word-found-nowhere-else")
    accepted = post(client, body)
    finished(client, accepted)
    job = client.app.state.service.jobs.get(accepted.json()["job"])
    assert job.body == b""
    assert {path: path.read_bytes() for path in filled.parent.iterdir() if path in before} == before
    for path in [*tmp_path.rglob("*"), *filled.parent.iterdir()]:
        assert path.is_dir() or b"a-word-found-nowhere-else" not in path.read_bytes()


def test_the_process_ends_with_the_service(filled, fake_worker):
    app = create_app(filled, allow_embed=True, token=TOKEN)
    with TestClient(app, "http://localhost") as client:
        pid = finished(client, post(client))["embedding"]["provenance"]["pid"]
        os.kill(pid, 0)
        post(client, rows("hang"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
