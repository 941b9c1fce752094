"""A small Hugging Face Hub on loopback, with what huggingface_hub needs to push and to pull.

It speaks the routes of the real one (create, preupload, LFS batch, commit, resolve, tree,
revision) over two origins, for the real one stores large files elsewhere: a client that sends its
token there is found out. Everything is held in memory, and every request is recorded.
"""

import base64
import dataclasses
import fnmatch
import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any, Self

import yaml

from tests.hub.loopback_repo import LFS_PATTERNS, Commit, File, Repo
from tests.hub.loopback_server import Answer, Call, Refusal, json_answer, make_server, ranged

MAX_REGULAR_BYTES = 10 * 1024**2
WRITE_TOKEN = "hf_write_of_owner"
READ_TOKEN = "hf_read_of_owner"
OTHER_TOKEN = "hf_write_of_stranger"
_TOKENS = {
    WRITE_TOKEN: ("owner", "write"),
    READ_TOKEN: ("owner", "read"),
    OTHER_TOKEN: ("stranger", "write"),
}
_TAG = "refs/tags/"
_SIGNATURE = "X-Signature=loopback"
_REPO = r"(?P<kind>model|dataset|space)s/(?P<repo_id>[^/]+/[^/]+)"
_GIT = r"(?:(?P<kind>dataset|space)s/)?(?P<repo_id>[^/]+/[^/]+)"


class LoopbackHub:
    """The two servers and what they hold. Use it as a context manager."""

    def __init__(self, *, page_size: int = 1000):
        self.page_size = page_size  # of a tree listing
        self.requests: list[Call] = []
        self.repos: dict[tuple[str, str], Repo] = {}
        self.new_visibility = "public"  # of repositories for which none is asked: owners choose it
        self.broken: dict[str, int] = {}  # part of a path -> status that it answers with
        self._stored: dict[str, bytes] = {}  # sha256 -> LFS object
        self._lock = threading.RLock()
        self._hub = make_server("hub", self.answer)
        self._storage = make_server("storage", self.answer)
        self.url = f"http://127.0.0.1:{self._hub.server_port}"
        self.storage_url = f"http://127.0.0.1:{self._storage.server_port}"
        routes: list[tuple[str, str, str, Callable[..., Answer]]] = [
            ("hub", "GET", r"/api/whoami-v2", self._whoami),
            ("hub", "POST", r"/api/repos/create", self._create),
            ("hub", "POST", r"/api/validate-yaml", self._validate_yaml),
            ("hub", "GET", rf"/api/{_REPO}(?:/revision/(?P<revision>[^/]+))?", self._info),
            (
                "hub",
                "GET",
                rf"/api/{_REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?",
                self._tree,
            ),
            ("hub", "GET", rf"/api/{_REPO}/refs", self._refs),
            ("hub", "GET", rf"/api/{_REPO}/commits/(?P<revision>[^/]+)", self._commits),
            ("hub", "POST", rf"/api/{_REPO}/paths-info/(?P<revision>[^/]+)", self._paths_info),
            ("hub", "POST", rf"/api/{_REPO}/tag/(?P<revision>[^/]+)", self._tag),
            ("hub", "GET", rf"/api/{_REPO}/runtime", self._runtime),
            ("hub", "POST", rf"/api/{_REPO}/hardware", self._hardware),
            ("hub", "GET", rf"/api/{_REPO}/variables", self._variables),
            ("hub", "POST", rf"/api/{_REPO}/variables", self._variables),
            ("hub", "DELETE", rf"/api/{_REPO}/variables", self._variables),
            ("hub", "POST", rf"/api/{_REPO}/preupload/(?P<revision>[^/]+)", self._preupload),
            ("hub", "POST", rf"/api/{_REPO}/commit/(?P<revision>[^/]+)", self._commit),
            ("hub", "POST", rf"/{_GIT}\.git/info/lfs/objects/batch", self._lfs_batch),
            ("hub", "POST", rf"/{_GIT}\.git/info/lfs/verify", self._lfs_verify),
            ("hub", "GET", rf"/{_GIT}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", self._resolve),
            ("storage", "PUT", r"/(?P<oid>[0-9a-f]{64})", self._store),
            ("storage", "GET", r"/(?P<oid>[0-9a-f]{64})", self._fetch),
        ]
        self._routes = [
            (origin, method, re.compile(path), run) for origin, method, path, run in routes
        ]

    def __enter__(self) -> Self:
        for server in (self._hub, self._storage):
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(self, *exception: object) -> None:
        for server in (self._hub, self._storage):
            server.shutdown()
            server.server_close()

    def repo(self, kind: str, repo_id: str) -> Repo:
        return self.repos[kind, repo_id]

    def answer(self, call: Call) -> Answer:
        """Records a request and returns the answer to it."""
        with self._lock:
            self.requests.append(call)
            try:
                for part, status in self.broken.items():
                    if part in call.path:
                        raise Refusal(status, "The loopback Hub was told to fail here")
                asked = (call.origin, call.method.replace("HEAD", "GET"))
                for origin, method, pattern, run in self._routes:
                    match = pattern.fullmatch(call.path)
                    if match and asked == (origin, method):
                        groups = match.groupdict("").items()
                        return run(call, **{k: urllib.parse.unquote(v) for k, v in groups})
                raise Refusal(404, f"The loopback Hub has no route {call.method} {call.path}")
            except Refusal as refusal:
                return Answer(status=refusal.status, headers=refusal.headers)

    # The account and the repositories.

    def _whoami(self, call: Call) -> Answer:
        name, role = _account(call)
        return json_answer({"type": "user", "name": name, "auth": {"accessToken": {"role": role}}})

    def _create(self, call: Call) -> Answer:
        asked = call.json()
        kind = asked.get("type", "model")
        repo_id = f"{asked['organization'] or _account(call)[0]}/{asked['name']}"
        if _account(call) != (repo_id.split("/")[0], "write"):
            raise Refusal(403, f"You don't have the rights to create {repo_id}")
        if kind == "space" and "sdk" not in asked:
            raise Refusal(400, "A Space needs an SDK")
        url = f"{self.url}/{_prefix(kind)}{repo_id}"
        if (kind, repo_id) in self.repos:
            exists = json_answer({"error": "You already created this repo", "url": url})
            return dataclasses.replace(exists, status=409)
        private = asked.get("visibility", self.new_visibility) == "private"
        self.repos[kind, repo_id] = Repo(kind, repo_id, private)
        return json_answer({"url": url, "name": repo_id, "id": repo_id})

    def _validate_yaml(self, call: Call) -> Answer:
        asked = call.json()
        block = re.match(r"---\n(.*?)\n---\n", asked["content"], re.DOTALL)
        try:
            metadata = yaml.safe_load(block.group(1)) if block else {}
        except yaml.YAMLError as error:
            problem = json_answer({"errors": [{"message": str(error)}], "warnings": []})
            return dataclasses.replace(problem, status=400)
        warnings = [] if metadata else [{"message": "empty or missing yaml metadata in repo card"}]
        return json_answer({"errors": [], "warnings": warnings})

    def _find(self, call: Call, kind: str, repo_id: str, *, to: str = "read") -> Repo:
        """Returns a repository that the caller may read, propose a change to, or write."""
        owner, role = _account(call) if call.token else ("", "read")
        repo = self.repos.get((kind or "model", repo_id))
        if repo is None or (repo.private and owner != repo_id.split("/")[0]):
            status = 404 if call.token else 401  # a stranger does not learn what exists
            raise Refusal(status, "Repository not found", "RepoNotFound")
        if to == "read":
            return repo
        may = role == "write" and (to == "propose" or owner == repo_id.split("/")[0])
        if not may:
            raise Refusal(403, f"This token may not {to} to {repo_id}")
        return repo

    def _find_commit(self, repo: Repo, revision: str) -> Commit:
        oid = repo.refs.get(revision or "main") or repo.refs.get(_TAG + revision, revision)
        if oid not in repo.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo.commits[oid]

    def _info(self, call: Call, kind: str, repo_id: str, revision: str) -> Answer:
        repo = self._find(call, kind, repo_id)
        commit = self._find_commit(repo, revision)
        siblings = [{"rfilename": name} for name in commit.files]
        return json_answer(
            {
                "id": repo_id,
                "sha": commit.oid,
                "private": repo.private,
                "gated": repo.gated,
                "siblings": siblings,
            }
        )

    def _tree(self, call: Call, kind: str, repo_id: str, revision: str, folder: str) -> Answer:
        commit = self._find_commit(self._find(call, kind, repo_id), revision)
        prefix = f"{folder}/" if folder else ""
        rows: dict[str, dict[str, Any]] = {}
        for name, file in sorted(commit.files.items()):
            if not name.startswith(prefix):
                continue
            inner, *more = name.removeprefix(prefix).split("/")
            if more and call.query.get("recursive", "false").lower() != "true":
                path = prefix + inner
                rows[path] = {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}
                continue
            row = {"type": "file", "path": name, "size": len(file.content), "oid": file.git_oid}
            if file.is_lfs:
                row["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 130}
            rows[name] = row
        if not rows:
            raise Refusal(404, f"{folder} does not exist", "EntryNotFound")
        start = int(call.query.get("cursor", 0))
        end = start + self.page_size
        answer = json_answer(list(rows.values())[start:end])
        if end < len(rows):
            page = f"/api/{kind}s/{repo_id}/tree/{urllib.parse.quote(revision, safe='')}"
            page += f"/{folder}" if folder else ""
            query = urllib.parse.urlencode({**call.query, "cursor": end})
            answer.headers["Link"] = f'<{self.url}{page}?{query}>; rel="next"'
        return answer

    def _refs(self, call: Call, kind: str, repo_id: str) -> Answer:
        refs = self._find(call, kind, repo_id).refs
        tags = [
            {"name": ref.removeprefix(_TAG), "ref": ref, "targetCommit": oid}
            for ref, oid in refs.items()
            if ref.startswith(_TAG)
        ]
        return json_answer({"branches": [], "converts": [], "tags": tags})

    def _commits(self, call: Call, kind: str, repo_id: str, revision: str) -> Answer:
        repo = self._find(call, kind, repo_id)
        self._find_commit(repo, revision)
        rows = [
            {
                "id": commit.oid,
                "title": commit.message,
                "message": commit.description,
                "authors": [{"user": "owner"}],
                "date": "2026-01-01T00:00:00.000Z",
            }
            for commit in repo.history(revision)
        ]
        return json_answer(rows)

    def _paths_info(self, call: Call, kind: str, repo_id: str, revision: str) -> Answer:
        files = self._find_commit(self._find(call, kind, repo_id), revision).files
        names = urllib.parse.parse_qs(call.body.decode())["paths"]
        rows = [
            {"type": "file", "path": n, "size": len(files[n].content), "oid": files[n].git_oid}
            for n in names
            if n in files
        ]
        return json_answer(rows)

    def _tag(self, call: Call, kind: str, repo_id: str, revision: str) -> Answer:
        repo = self._find(call, kind, repo_id, to="write")
        name = _TAG + call.json()["tag"]
        if name in repo.refs:
            raise Refusal(409, "Tag reference exists already")
        repo.refs[name] = self._find_commit(repo, revision).oid
        return json_answer({})

    def _hardware(self, call: Call, kind: str, repo_id: str) -> Answer:
        self._find(call, kind, repo_id, to="write").hardware = call.json()["flavor"]
        return self._runtime(call, kind, repo_id)

    def _runtime(self, call: Call, kind: str, repo_id: str) -> Answer:
        requested = self._find(call, kind, repo_id).hardware
        hardware = {"current": "cpu-basic", "requested": requested}
        return json_answer({"stage": "BUILDING", "hardware": hardware, "gcTimeout": None})

    def _variables(self, call: Call, kind: str, repo_id: str) -> Answer:
        repo = self._find(call, kind, repo_id, to="write")
        if call.method == "POST":
            repo.variables[call.json()["key"]] = call.json()["value"]
        elif call.method == "DELETE":
            del repo.variables[call.json()["key"]]
        return json_answer({key: {"value": value} for key, value in repo.variables.items()})

    # Pushing.

    def _preupload(self, call: Call, kind: str, repo_id: str, revision: str) -> Answer:
        to = "propose" if call.query.get("create_pr") else "write"
        repo = self._find(call, kind, repo_id, to=to)
        published = self._find_commit(repo, revision).files
        rows = []
        for asked in call.json()["files"]:
            name, sample = asked["path"], base64.b64decode(asked["sample"])
            is_lfs = (
                any(fnmatch.fnmatch(name, pattern) for pattern in LFS_PATTERNS)
                or asked["size"] > MAX_REGULAR_BYTES
                or b"\0" in sample
            )
            row = {
                "path": name,
                "uploadMode": "lfs" if is_lfs else "regular",
                "shouldIgnore": False,
            }
            if file := published.get(name):
                row["oid"] = file.sha256 if file.is_lfs else file.git_oid
            rows.append(row)
        return json_answer({"files": rows})

    def _lfs_batch(self, call: Call, kind: str, repo_id: str) -> Answer:
        self._find(call, kind, repo_id, to="propose")
        if call.headers["Content-Type"] != "application/vnd.git-lfs+json":
            raise Refusal(422, "Not a Git LFS request")
        objects = []
        for asked in call.json()["objects"]:
            row = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self._stored:
                verify = f"{self.url}/{_prefix(kind)}{repo_id}.git/info/lfs/verify"
                upload = f"{self.storage_url}/{asked['oid']}?{_SIGNATURE}"
                row["actions"] = {"upload": {"href": upload}, "verify": {"href": verify}}
            objects.append(row)
        return json_answer({"transfer": "basic", "objects": objects})

    def _lfs_verify(self, call: Call, kind: str, repo_id: str) -> Answer:
        self._find(call, kind, repo_id, to="propose")
        asked = call.json()
        if len(self._stored.get(asked["oid"], b"")) != asked["size"]:
            raise Refusal(422, "The object was not uploaded")
        return json_answer({"message": "verified"})

    def _commit(self, call: Call, kind: str, repo_id: str, revision: str) -> Answer:
        create_pr = "create_pr" in call.query
        repo = self._find(call, kind, repo_id, to="propose" if create_pr else "write")
        if revision not in repo.refs:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        header, *operations = [json.loads(line) for line in call.body.splitlines()]
        about = header["value"]
        parent = about.get("parentCommit", repo.refs[revision])
        if parent != repo.refs[revision] and not create_pr:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repo.files(parent))
        for operation in operations:
            self._apply(operation["key"], operation["value"], files)
        commit = Commit(about["summary"], parent, files, about["description"])
        number = 1 + sum(ref.startswith("refs/pr/") for ref in repo.refs)
        repo.add(f"refs/pr/{number}" if create_pr else revision, commit)
        page = f"{self.url}/{_prefix(kind)}{repo_id}"
        return json_answer(
            {
                "success": True,
                "commitOid": commit.oid,
                "commitUrl": f"{page}/commit/{commit.oid}",
                "pullRequestUrl": f"{page}/discussions/{number}" if create_pr else None,
            }
        )

    def _apply(self, key: str, value: dict[str, Any], files: dict[str, File]) -> None:
        """Does one operation of a commit to `files`."""
        name = value["path"]
        if ".." in name.split("/") or name.startswith("/"):
            raise Refusal(400, f"Invalid path {name}")
        if key == "file":
            content = base64.b64decode(value["content"])
            if len(content) > MAX_REGULAR_BYTES or b"\0" in content:
                raise Refusal(400, f"{name} is large or binary and was not sent as LFS")
            files[name] = File(content, False)
        elif key == "lfsFile":
            content = self._stored.get(value["oid"])
            if content is None or len(content) != value["size"]:
                raise Refusal(400, f"The LFS object of {name} was not uploaded")
            files[name] = File(content, True)
        elif key == "deletedFile":
            if name not in files:
                raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
            del files[name]
        else:
            raise Refusal(400, f"The loopback Hub does not know the operation {key}")

    # Files, small ones from the Hub and large ones from the storage.

    def _resolve(self, call: Call, kind: str, repo_id: str, revision: str, name: str) -> Answer:
        commit = self._find_commit(self._find(call, kind, repo_id), revision)
        headers = {"X-Repo-Commit": commit.oid}
        file = commit.files.get(name)
        if file is None:
            raise Refusal(404, f"Entry not found: {name}", "EntryNotFound", headers)
        headers["ETag"] = f'"{file.git_oid}"'
        if not file.is_lfs:
            return ranged(call, file.content, headers)
        headers["X-Linked-Etag"] = f'"{file.sha256}"'
        headers["X-Linked-Size"] = str(len(file.content))
        headers["Location"] = f"{self.storage_url}/{file.sha256}?{_SIGNATURE}"
        return Answer(status=302, headers=headers)

    def _store(self, call: Call, oid: str) -> Answer:
        _check_signature(call)
        if hashlib.sha256(call.body).hexdigest() != oid:
            raise Refusal(400, "The content does not have this SHA-256")
        self._stored[oid] = call.body
        return Answer()

    def _fetch(self, call: Call, oid: str) -> Answer:
        _check_signature(call)
        if oid not in self._stored:
            raise Refusal(404, "No such object")
        return ranged(call, self._stored[oid], {"ETag": f'"{oid}"'})


def _account(call: Call) -> tuple[str, str]:
    """Returns the caller's name and the role of the token."""
    if call.token not in _TOKENS:
        raise Refusal(401, "Invalid credentials in Authorization header")
    return _TOKENS[call.token]


def _prefix(kind: str) -> str:
    """Returns what stands before a repository's name in its address."""
    return f"{kind}s/" if kind in ("dataset", "space") else ""


def _check_signature(call: Call) -> None:
    if call.token is not None or f"X-Signature={call.query.get('X-Signature')}" != _SIGNATURE:
        raise Refusal(400, "A signed address is needed, and no other authorization beside it")
