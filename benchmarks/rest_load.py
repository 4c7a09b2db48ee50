"""What does the service bear?  32 clients for a minute on an atlas of 10,000, and thousands of made-up requests.

Load: clients in processes of their own keep 32 connections on loopback busy with a mix of all routes, names drawn at
random.  Told are errors (any status but 200 and the 304 that was asked for), requests per second, the 50th and 99th
percentile of each route, and the memory of the server after a warm-up, in the middle and at the end.  The floor is a
bare FastAPI application that gives back the same bytes for the same addresses, under the same clients in the same run.

Fuzz: requests made up from the OpenAPI document by schemathesis, right and wrong ones, each answer held against the
document; a status of 500 or more is a failure.

    python benchmarks/rest_load.py                 # three minutes
    python benchmarks/rest_load.py --fuzz 150      # examples of each operation, right and wrong; minutes
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from _common import RESULTS, machine
from taskspace import Atlas, SpaceId, TaskEmbedding

CLIENTS, PROCESSES = 32, 2
KINDS = ("dataset", "model", "prompt", "adapter")
SPACE = SpaceId("random", "none", "none", {}, "response", {}, "none", 1, 0)
MIX = {
    "health": 10, "spaces": 5, "map": 8, "map, known": 8, "tasks": 20, "task": 25, "near": 12, "rank": 4, "compare": 3,
    "similarities": 2, "transfers": 3,
}  # fmt: skip
"""Of a hundred requests."""

FLOOR = """
import json, sys
import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI(openapi_url=None)
held = {url: body.encode() for url, body in json.load(open(sys.argv[1])).items()}

@app.get("/{path:path}")
async def answer(request: Request) -> Response:
    url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Response(held[url], media_type="application/json")

uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
"""


def name_of(i: int) -> str:
    return f"owner{i % 97}/thing-{i}"


def build(path: Path, rows: int, dims: int) -> None:
    """An atlas of seeded random vectors, with provenances as embedding writes them and some measured transfers."""
    rng = np.random.default_rng(0)
    about = {"input_rows": 1000, "classes": 4, "label_kind": "classes", "description": "Tell news by section: world, "
             "sports, business, or science and technology.", "skill": 0.25, "informative": True}  # fmt: skip
    with Atlas(path) as atlas:
        for start in range(0, rows, 500):
            vectors = rng.standard_normal((min(500, rows - start), dims), dtype=np.float32)
            atlas.add(*(
                TaskEmbedding(name_of(i), KINDS[i % 4], SPACE, vector, (("all", dims),), f"content {i}", about)
                for i, vector in enumerate(vectors, start)
            ))  # fmt: skip
        for i in range(200):
            atlas.observe(source=name_of(i), target=name_of(0), score=0.8 + i / 2000, baseline=0.85, seed=0)


def urls(rows: int, rng: random.Random) -> dict[str, str]:
    """One address of each route."""
    one, other = (name_of(rng.randrange(rows)) for _ in range(2))
    some = [name_of(rng.randrange(rows)) for _ in range(20)]
    return {
        "health": "/v1/health",
        "spaces": "/v1/spaces",
        "map": "/v1/map",
        "map, known": "/v1/map",
        "tasks": "/v1/tasks?" + urlencode({"q": f"thing-{rng.randrange(100)}", "kind": rng.choice(KINDS)}),
        "task": "/v1/task?" + urlencode({"name": one}),
        "near": "/v1/near?" + urlencode({"name": one}),
        "rank": "/v1/rank?" + urlencode({"name": one}),
        "compare": "/v1/compare?" + urlencode({"first": one, "second": other}),
        "similarities": "/v1/similarities?" + urlencode({"name": some}, doseq=True),
        "transfers": "/v1/transfers?" + urlencode({"source": name_of(rng.randrange(300))}),
    }


class Connection:
    """HTTP/1.1 over one connection that stays open, with as little in between as measuring allows."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)

    async def get(self, url: str, tag: str = "") -> tuple[int, str, bytes]:
        """Status, ETag and body."""
        known = f"If-None-Match: {tag}\r\n" if tag else ""
        self.writer.write(f"GET {url} HTTP/1.1\r\nHost: localhost\r\n{known}\r\n".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers.get("etag", ""), body


async def client(port: int, until: float, rows: int, seed: int, seen: dict, errors: Counter, only: list | None) -> None:
    rng, tag, connection = random.Random(seed), "", Connection(port)
    await connection.open()
    routes, weights = list(MIX), list(MIX.values())
    while time.time() < until:
        route = rng.choices(routes, weights)[0]
        url = rng.choice(only[route]) if only else urls(rows, rng)[route]
        began = time.perf_counter()
        try:
            status, found, _ = await connection.get(url, tag.replace("w/", "W/") if route == "map, known" else "")
        except (OSError, asyncio.IncompleteReadError) as error:
            errors[f"{route}: {type(error).__name__}"] += 1
            await connection.open()
            continue
        seen[route].append(time.perf_counter() - began)
        if status not in (200, 304):
            errors[f"{route}: {status}"] += 1
        tag = found if route.startswith("map") else tag


def clients(port: int, until: float, rows: int, seed: int, only: list | None, back) -> None:
    async def all_of_them() -> tuple[dict, Counter]:
        seen, errors = defaultdict(list), Counter()
        await asyncio.gather(*(
            client(port, until, rows, seed * 1000 + i, seen, errors, only) for i in range(CLIENTS // PROCESSES)
        ))  # fmt: skip
        return seen, errors

    back.put(asyncio.run(all_of_them()))


def load(port: int, seconds: float, rows: int, pid: int, only: dict | None = None) -> dict:
    """The clients at work, and the server's memory meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    back, began = spawn.Queue(), time.time() + 3  # until all of them are up
    workers = [
        spawn.Process(target=clients, args=(port, began + seconds, rows, seed, only, back)) for seed in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    memory = {}
    for moment, share in {"warm": 0.2, "middle": 0.6, "end": 0.97}.items():
        time.sleep(max(0.0, began + share * seconds - time.time()))
        memory[moment] = megabytes(pid)
    found = [back.get() for _ in workers]
    for worker in workers:
        worker.join()
    seen, errors = defaultdict(list), Counter()
    for part, problems in found:
        errors.update(problems)
        for route, times in part.items():
            seen[route] += times
    count = sum(map(len, seen.values()))
    table = {
        route: {"requests": len(seen[route]), **{
            f"p{q}_ms": round(float(np.percentile(seen[route], q)) * 1000, 2) for q in (50, 99)
        }}
        for route in MIX if seen[route]
    }  # fmt: skip
    every = np.concatenate([seen[route] for route in table])
    return {
        "seconds": seconds, "requests": count, "per_second": round(count / seconds, 1),
        "p50_ms": round(float(np.percentile(every, 50)) * 1000, 2),
        "p99_ms": round(float(np.percentile(every, 99)) * 1000, 2),
        "errors": dict(errors), "memory_mb": memory, "routes": table,
    }  # fmt: skip


def megabytes(pid: int) -> dict[str, float]:
    """What the process holds in all, and of that what is its own and not a file seen through memory."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return {name: round(int(lines[key].split()[0]) / 1024, 1) for name, key in (("all", "VmRSS"), ("own", "RssAnon"))}


async def once(port: int, wanted: dict[str, list[str]]) -> dict[str, str]:
    connection = Connection(port)
    await connection.open()
    return {url: (await connection.get(url))[2].decode() for each in wanted.values() for url in each}


def measure(folder: Path, rows: int, dims: int, seconds: float) -> dict:
    atlas = folder / "atlas.db"
    print(f"writing an atlas of {rows:,} x {dims:,} …", file=sys.stderr)
    build(atlas, rows, dims)
    server = subprocess.Popen(
        [sys.executable, "-m", "taskspace", "serve", "--atlas", str(atlas), "--port", "0", "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = ""
    while not told.endswith("}\n"):
        told += server.stdout.readline()
    port = int(json.loads(told)["url"].rpartition(":")[2])
    rng = random.Random(1)
    fixed: dict[str, list[str]] = {route: [] for route in MIX}
    for _ in range(20):
        for route, url in urls(rows, rng).items():
            fixed[route].append(url)
    began = time.perf_counter()
    answers = asyncio.run(once(port, {"health": ["/v1/health"], "tasks": ["/v1/tasks"], "map": ["/v1/map"]}))
    first = time.perf_counter() - began
    try:
        ours = load(port, seconds, rows, server.pid)
        answers = asyncio.run(once(port, fixed))
    finally:
        server.terminate()
        server.wait()
    print(json.dumps(ours, indent=1), file=sys.stderr)
    (folder / "answers.json").write_text(json.dumps(answers))
    (folder / "floor.py").write_text(FLOOR)
    bare = subprocess.Popen([sys.executable, str(folder / "floor.py"), str(folder / "answers.json"), str(port)])
    try:
        for _ in range(100):
            try:
                asyncio.run(once(port, {"health": ["/v1/health"]}))
                break
            except OSError:
                time.sleep(0.1)
        floor = load(port, seconds / 3, rows, bare.pid, fixed)
    finally:
        bare.terminate()
        bare.wait()
    return {
        "rows": rows, "dims": dims, "clients": CLIENTS, "first_answers_s": round(first, 2),
        "load_average": [round(each, 2) for each in os.getloadavg()], "ours": ours, "floor": floor,
    }  # fmt: skip


def fuzz(folder: Path, examples: int) -> dict:
    import schemathesis
    from schemathesis.python.asgi import get_client

    from taskspace.serve import Limits, create_app

    build(folder / "atlas.db", 200, 32)
    schemathesis.serializer("application/jsonl")(lambda context, value: str(value))
    limits = Limits(jobs_per_minute=10**9, queue=10**9)  # a full line is a 503 by design
    app = create_app(folder / "atlas.db", allow_embed=True, token="t", hosts=["testserver"], limits=limits)
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    table = {}
    with get_client(app) as session:
        for found in document.get_all_operations():
            operation = found.ok()
            for mode in schemathesis.GenerationMode:
                if mode.value == "negative" and operation.path in ("/v1/health", "/v1/spaces"):
                    continue  # nothing to get wrong
                row = table[f"{mode.value} {operation.label}"] = made_up(operation, mode, session, examples)
                print(f"{mode.value:<9}{operation.label:<24}{row['requests']:>6}  {row['statuses']}  {row['problem']}")
    return {
        "examples": examples,
        "requests": sum(row["requests"] for row in table.values()),
        "faults": sum(n for row in table.values() for status, n in row["statuses"].items() if status >= "500"),
        "problems": sum(bool(row["problem"]) for row in table.values()),
        "operations": table,
    }


def made_up(operation, mode, session, examples: int) -> dict:
    """Requests of one operation, the statuses of their answers, and what did not fit the document."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    # A string is all that OpenAPI can say of JSON lines, and most strings are none.
    accepted = schemathesis.checks.CHECKS.get_one("positive_data_acceptance")
    unfit = [accepted] if operation.method == "post" else []
    statuses, problem, began = Counter(), "", time.perf_counter()

    @settings(
        max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.target],
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def every(case) -> None:
        known = statuses.total() % 2 == 0  # made-up names and tokens alone would never get far
        for key in ("name", "first", "second") if known and mode.value == "positive" else ():
            if key in case.query:
                case.query[key] = name_of(len(str(case.query[key])))
        token = {"Authorization": "Bearer t"} if known else {}
        answer = case.call(session=session, headers=token, timeout=3600)
        statuses[str(answer.status_code)] += 1
        case.validate_response(answer, excluded_checks=unfit)

    try:
        every()
    except BaseExceptionGroup as group:
        problem = "; ".join(str(error) for error in group.exceptions)[:2000]
    seconds = round(time.perf_counter() - began, 1)
    return {
        "requests": sum(statuses.values()), "statuses": dict(sorted(statuses.items())), "seconds": seconds,
        "problem": problem,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dims", type=int, default=8_256)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--fuzz", type=int, default=0, metavar="EXAMPLES")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rest-load-") as folder:
        os.environ["TASKSPACE_HOME"] = f"{folder}/home"
        if args.fuzz:
            result = fuzz(Path(folder), args.fuzz)
        else:
            result = measure(Path(folder), args.rows, args.dims, args.seconds)
            for what in ("ours", "floor"):
                for route, row in {"all": result[what], **result[what]["routes"]}.items():
                    times = f"p50 {row['p50_ms']:>8} ms  p99 {row['p99_ms']:>8} ms"
                    print(f"{what:<6}{route:<14}{row['requests']:>8}  {times}")
                print(what, "errors:", result[what]["errors"] or "none", "memory:", result[what]["memory_mb"])
    out = args.out or RESULTS / ("rest_fuzz.json" if args.fuzz else "rest_load.json")
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    packages = {name: version(name) for name in ("fastapi", "uvicorn", "starlette", "schemathesis")}
    out.write_text(json.dumps({"command": command, "machine": machine() | packages, **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
