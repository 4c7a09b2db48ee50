"""A Hub that keeps everything in memory and speaks as the real one does, as far as its client asks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

WRITER, READER = "hf_writer", "hf_reader"
PARTS_FROM, PART = 400_000, 150_000
"""Files from this many bytes go up in parts of so many."""


@dataclass
class Blob:
    """A file of a commit; a large one is known by its SHA-256, a small one as git knows it."""

    data: bytes
    large: bool

    @property
    def oid(self) -> str:
        if self.large:
            return hashlib.sha256(self.data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()


@dataclass
class Repo:
    private: bool
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch, files, message=""):
        sha = hashlib.sha1(f"{len(self.commits)} {branch} {sorted(files)}".encode()).hexdigest()
        self.commits[sha], self.branches[branch] = files, sha
        self.messages.append(message)
        return sha

    def files(self, revision="main"):
        return self.commits[self.branches.get(revision, revision)]


class FakeHub:
    """What the Hub stores; ``fail`` makes it ill for some requests, ``gate`` makes a file come to a halt half way."""

    def __init__(self):
        self.repos: dict[str, Repo] = {}
        self.stored: dict[str, bytes] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.asked: list[str] = []
        self.failures: list[list] = []
        self.gate = threading.Event()
        self.halted = threading.Event()
        self.halts = ""
        self.url = ""

    def fail(self, pattern, status, times=1, **headers):
        self.failures.append([re.compile(pattern), status, times, headers])

    def put(self, repo, files, *, private=False, branch="main"):
        """A commit made by somebody else."""
        there = self.repos.setdefault(repo, Repo(private))
        if not there.commits:
            first = there.commit("main", {".gitattributes": Blob(b"*.parquet filter=lfs\n", False)})
            if not files:
                return first
        held = dict(there.files(branch))
        for path, data in files.items():
            held[path] = Blob(data, path.endswith(".parquet"))
            if data is None:
                del held[path]
        return there.commit(branch, held)

    def read(self, repo, path, revision="main"):
        return self.repos[repo].files(revision)[path].data


def application(hub: FakeHub):
    """The routes that ``huggingface_hub`` calls to look, push and pull."""
    app = FastAPI()

    def refusal(status, code=None, message=None):
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        return JSONResponse({"error": message or code}, status, {k: v for k, v in headers.items() if v})

    @app.middleware("http")
    async def watched(request: Request, call_next):
        line = f"{request.method} {request.url.path}"
        hub.asked.append(line)
        for failure in hub.failures:
            pattern, status, times, headers = failure
            if times and pattern.search(line):
                failure[2] -= 1
                await request.body()
                return Response("ill", status, headers=headers)
        said = request.headers.get("authorization", "").removeprefix("Bearer ")
        if said not in ("", WRITER, READER):
            return refusal(401, message="Invalid credentials in Authorization header")
        request.state.token = said
        return await call_next(request)

    def repo_for(request, name):
        found = hub.repos.get(name)
        hidden = found is not None and found.private and not request.state.token
        return None if found is None or hidden else found

    def no_repo(request):
        return refusal(404 if request.state.token else 401, "RepoNotFound", "Repository not found")

    def may_write(request):
        return request.state.token == WRITER

    @app.post("/api/repos/create")
    async def create(request: Request):
        said = await request.json()
        name = f"{said['organization']}/{said['name']}"
        if not may_write(request):
            return refusal(403, message="You don't have the rights to create a dataset under this namespace")
        if name in hub.repos:
            return JSONResponse({"url": f"{hub.url}/datasets/{name}", "error": "You already created this"}, 409)
        hub.put(name, {}, private=said.get("visibility") == "private")
        return {"url": f"{hub.url}/datasets/{name}", "name": name}

    @app.post("/api/validate-yaml")
    async def validate(request: Request):
        text = (await request.json())["content"]
        if "license: nonsense" in text:
            return JSONResponse({"warnings": [], "errors": [{"message": '"license" must be one of [apache-2.0]'}]}, 400)
        return {"warnings": [], "errors": []}

    @app.get("/api/datasets/{owner}/{name}")
    @app.get("/api/datasets/{owner}/{name}/revision/{revision:path}")
    def info(request: Request, owner: str, name: str, revision: str = "main"):
        repo = repo_for(request, f"{owner}/{name}")
        if repo is None:
            return no_repo(request)
        sha = repo.branches.get(revision, revision)
        if sha not in repo.commits:
            return refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        siblings = [{"rfilename": path} for path in repo.commits[sha]]
        return {"id": f"{owner}/{name}", "sha": sha, "private": repo.private, "siblings": siblings, "tags": []}

    @app.post("/api/datasets/{owner}/{name}/branch/{branch:path}")
    async def branch(request: Request, owner: str, name: str, branch: str):
        repo = hub.repos[f"{owner}/{name}"]
        if not may_write(request):
            return refusal(403, message="no")
        if branch in repo.branches:
            return refusal(409, message="Reference already exists")
        repo.branches[branch] = repo.branches["main"]
        return {}

    @app.post("/api/datasets/{owner}/{name}/preupload/{revision:path}")
    async def preupload(request: Request, owner: str, name: str, revision: str):
        repo = repo_for(request, f"{owner}/{name}")
        if not may_write(request):
            return refusal(403, message="Authorization error.")
        held = repo.files(revision)
        files = []
        for file in (await request.json())["files"]:
            large = file["path"].endswith(".parquet") or file["size"] > 10_000_000
            oid = held[file["path"]].oid if file["path"] in held else None
            mode = "lfs" if large else "regular"
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": files}

    @app.post("/datasets/{owner}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request, owner: str, name: str):
        objects = []
        for item in (await request.json())["objects"]:
            oid, size = item["oid"], item["size"]
            if oid in hub.stored:
                objects.append({"oid": oid, "size": size})
                continue
            upload = {"href": f"{hub.url}/storage/{oid}", "header": {}}
            if size >= PARTS_FROM:
                numbers = range(1, -(-size // PART) + 1)
                urls = {f"{n:05}": f"{hub.url}/storage/{oid}/{n}" for n in numbers}
                upload = {"href": f"{hub.url}/complete/{oid}", "header": {"chunk_size": str(PART), **urls}}
            verify = {"href": f"{hub.url}/verify/{oid}"}
            objects.append({"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}})
        return {"transfer": "basic", "objects": objects}

    def keep(oid, data):
        if hashlib.sha256(data).hexdigest() != oid:
            return refusal(400, message="hash mismatch")
        hub.stored[oid] = data
        return JSONResponse({})

    @app.put("/storage/{oid}")
    async def store(request: Request, oid: str):
        return keep(oid, await request.body())

    @app.put("/storage/{oid}/{number}")
    async def store_part(request: Request, oid: str, number: int):
        hub.parts[oid, number] = await request.body()
        return Response(headers={"ETag": f'"{oid[:8]}-{number}"'})

    @app.post("/complete/{oid}")
    async def complete(request: Request, oid: str):
        numbers = [part["partNumber"] for part in (await request.json())["parts"]]
        return keep(oid, b"".join(hub.parts[oid, number] for number in numbers))

    @app.post("/verify/{oid}")
    async def verify(request: Request, oid: str):
        size = (await request.json())["size"]
        return {} if len(hub.stored.get(oid, b"")) == size else refusal(404, message="not stored")

    @app.post("/api/datasets/{owner}/{name}/commit/{revision:path}")
    async def commit(request: Request, owner: str, name: str, revision: str):
        repo = repo_for(request, f"{owner}/{name}")
        if not may_write(request):
            return refusal(403, message="Authorization error.")
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        head = lines.pop(0)["value"]
        if head.get("parentCommit", repo.branches[revision]) != repo.branches[revision]:
            return refusal(412, message="A commit has happened since. Please refresh and try again.")
        files = dict(repo.files(revision))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif line["key"] == "lfsFile":
                files[value["path"]] = Blob(hub.stored[value["oid"]], True)
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = repo.commit(revision, files, head["summary"])
        return {"commitUrl": f"{hub.url}/datasets/{owner}/{name}/commit/{sha}", "commitOid": sha}

    @app.api_route("/datasets/{owner}/{name}/resolve/{rest:path}", methods=["GET", "HEAD"])
    def resolve(request: Request, owner: str, name: str, rest: str):
        repo = repo_for(request, f"{owner}/{name}")
        if repo is None:
            return no_repo(request)
        names = [n for n in (*repo.branches, *repo.commits) if rest.startswith(f"{n}/")]
        if not names:
            return refusal(404, "RevisionNotFound", "Invalid rev id")
        revision = max(names, key=len)
        sha, path = repo.branches.get(revision, revision), rest[len(revision) + 1 :]
        blob = repo.commits[sha].get(path)
        if blob is None:
            return refusal(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": sha, "ETag": f'"{blob.oid}"'}
        if blob.large:
            headers |= {"X-Linked-ETag": f'"{blob.oid}"', "X-Linked-Size": str(len(blob.data))}
            hub.stored[blob.oid] = blob.data
            elsewhere = hub.url.replace("127.0.0.1", "localhost")  # the token must not go there
            return RedirectResponse(f"{elsewhere}/cdn/{blob.oid}", 302, headers)
        return served(request, path, blob.data, headers)

    @app.api_route("/cdn/{oid}", methods=["GET", "HEAD"])
    def cdn(request: Request, oid: str):
        assert not request.state.token
        return served(request, "parquet", hub.stored[oid], {"ETag": f'"{oid}"'})

    def served(request, path, data, headers):
        headers |= {"Content-Length": str(len(data)), "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return Response(headers=headers)
        if hub.halts and hub.halts in path:
            return StreamingResponse(halting(data), headers=headers)
        return Response(data, headers=headers)

    def halting(data):
        yield data[: len(data) // 2]
        hub.halted.set()
        hub.gate.wait(30)
        yield data[len(data) // 2 :]

    return app
