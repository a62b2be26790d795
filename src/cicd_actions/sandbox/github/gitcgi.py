"""Git over smart HTTP: the real `git http-backend`, with the rules of branches around it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cicd_actions.sandbox.github.answers import Answer
from cicd_actions.sandbox.github.plumbing import EMPTY_TREE, ZERO
from cicd_actions.sandbox.github.policy import may_touch_workflows, workflow_wording
from cicd_actions.sandbox.github.repositories import Repository
from cicd_actions.sandbox.github.state import State
from cicd_actions.sandbox.github.tokens import Actor
from cicd_actions.sandbox.github.updates import Push, announce, branch_problem

PATH = re.compile(
    r"/(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+?)(?:\.git)?/" r"(?P<rest>info/refs|git-upload-pack|git-receive-pack)"
)

# Run by git for each ref of a push, with the new objects at hand. It only knows what needs those objects; everything
# else is decided before and comes in $STANDIN/refused: one line per refused ref, then what to say. Why it refused goes
# to $STANDIN/reasons, from where it gets into the client's "[remote rejected]" line.
HOOK = """#!/bin/sh
ref=$1 old=$2 new=$3 tab=$(printf '\\t')
zero=0000000000000000000000000000000000000000
refuse() {
  printf '%s\\t%s\\n' "$ref" "$1" >> "$STANDIN/reasons"
  exit 1
}
if said=$(grep -F -m 1 "$ref$tab" "$STANDIN/refused"); then
  printf '%s\\n' "$said" | cut -f 2- | tr '\\037' '\\n' | sed 's/^/error: /' >&2
  refuse 'protected branch hook declined'
fi
[ "$new" = $zero ] && exit 0
if [ "$old" != $zero ] && grep -F -x -q "$ref" "$STANDIN/linear" && ! git merge-base --is-ancestor "$old" "$new"; then
  echo "error: GH006: Protected branch update failed for $ref." >&2
  echo 'error: Cannot force-push to this branch' >&2
  refuse 'protected branch hook declined'
fi
if [ -s "$STANDIN/workflows" ]; then
  base=$old
  [ "$old" = $zero ] && base=$(cat "$STANDIN/base")
  path=$(git diff-tree -r --name-only --no-renames "$base" "$new" -- .github/workflows/ | head -n 1)
  [ -n "$path" ] && refuse "$(awk -v path="$path" '{ sub("PATH", path); print }' "$STANDIN/workflows")"
fi
exit 0
"""


@dataclass(frozen=True, kw_only=True)
class GitCall:
    """One request of a git client."""

    repo: Repository
    actor: Actor
    method: str
    rest: str
    query: str
    body: bytes
    content_type: str
    encoding: str
    protocol: str

    @property
    def service(self) -> Literal["git-upload-pack", "git-receive-pack"]:
        """Which of git's two services is asked for."""
        writes = "git-receive-pack" in (self.rest, self.query.removeprefix("service="))
        return "git-receive-pack" if writes else "git-upload-pack"


def install(repo: Repository) -> None:
    """Set a bare repository up for being served."""
    for name, value in {
        "http.receivepack": "true",
        "receive.denyNonFastForwards": "false",
        "receive.denyDeleteCurrent": "refuse",
        "uploadpack.allowAnySHA1InWant": "true",
        "uploadpack.allowFilter": "true",
        "gc.auto": "0",
    }.items():
        repo.git("config", name, value)
    hook = repo.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)


def refusal(call: GitCall) -> Answer | None:
    """What a client without the needed rights gets; None when it may go on."""
    repo, actor = call.repo, call.actor
    level = actor.level(repo.full_name, "contents")
    writes = call.service == "git-receive-pack"
    if not writes and (level >= 1 or not repo.private):
        return None
    if actor.kind == "anonymous":
        headers = {"WWW-Authenticate": 'Basic realm="GitHub"'}
        return _text(401, "No anonymous write access.", headers)
    if repo.private and not actor.sees(repo.full_name):
        return _text(404, "Repository not found.")
    if writes and level < 2:
        return _text(403, f"Permission to {repo.full_name}.git denied to {actor.login}.")
    return None if level >= 1 else _text(403, "Write access to repository not granted.")


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> Answer:
    media = "text/plain; charset=utf-8"
    return Answer(status=status, raw=text.encode(), media=media, headers=headers or {})


def serve(state: State, call: GitCall) -> Answer:
    """Let git answer; after a push, start what the moved refs start."""
    refused = refusal(call)
    if refused is not None:
        return refused
    if call.rest != "git-receive-pack":
        return _backend(call, {})
    with call.repo.lock:
        before = call.repo.refs()
        with tempfile.TemporaryDirectory(prefix="push-", dir=call.repo.path) as name:
            folder = Path(name)
            _write_rules(state, call, folder)
            answer = _backend(call, {"STANDIN": name})
            answer = replace(answer, raw=with_reasons(answer.raw or b"", _reasons(folder / "reasons")))
        after = call.repo.refs()
        for ref in sorted(before.keys() | after.keys()):
            old, new = before.get(ref, ZERO), after.get(ref, ZERO)
            announce(state, Push(repository=call.repo, actor=call.actor, ref=ref, before=old, after=new))
    return answer


def _write_rules(state: State, call: GitCall, folder: Path) -> None:
    """The files that tell the hook what to refuse."""
    repo, actor = call.repo, call.actor
    refused = []
    for old, new, ref in commands(call.body):
        known = new == ZERO or repo.object_type(new) is not None
        problem = _problem(state, call, ref=ref, old=old, new=new, known=known)
        if problem:
            code = "GH013" if problem.startswith("Repository rule") else "GH006"
            text = f"{code}: Protected branch update failed for {ref}.\n{problem.strip()}"
            refused.append(f"{ref}\t" + text.replace("\n", "\037"))
    linear = [
        f"refs/heads/{branch}"
        for (name, branch), rules in state.records.protections.items()
        if name == repo.full_name and not rules.allow_force and actor.login not in rules.bypass
    ]
    free = may_touch_workflows(repo, actor)
    files = {
        "refused": "".join(f"{line}\n" for line in refused),
        "linear": "".join(f"{ref}\n" for ref in linear),
        "workflows": "" if free else workflow_wording(actor, "PATH") + "\n",
        "base": (repo.branch(repo.default_branch) or EMPTY_TREE) + "\n",
        "reasons": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)


def _reasons(path: Path) -> dict[str, str]:
    lines = path.read_text(errors="replace").splitlines()
    return {ref: reason for ref, _, reason in (line.partition("\t") for line in lines)}


def with_reasons(body: bytes, reasons: Mapping[str, str]) -> bytes:
    """Put the reasons into the report of a push, which git itself only fills with "hook declined"."""
    if not reasons:
        return body
    other, report = b"", b""
    for packet in packets(body):
        if packet[:1] == b"\1":
            report += packet[1:]
        elif packet:
            other += _packet(packet)
    if not report:
        return body
    lines = []
    for line in packets(report):
        words = line.decode("utf-8", "replace").rstrip("\n").split(" ", 2)
        if words[0] == "ng" and len(words) == 3 and words[1] in reasons:
            line = f"ng {words[1]} {reasons[words[1]]}\n".encode()
        lines.append(_packet(line) if line else b"0000")
    return other + _packet(b"\1" + b"".join(lines)) + b"0000"


def packets(data: bytes) -> Iterator[bytes]:
    """The packets of git's wire format; a flush comes as an empty one."""
    at = 0
    while at + 4 <= len(data):
        try:
            size = int(data[at : at + 4], 16)
        except ValueError:
            return
        yield data[at + 4 : at + size]
        at += max(size, 4)


def _packet(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data


def _problem(state: State, call: GitCall, *, ref: str, old: str, new: str, known: bool) -> str:
    # Before the objects have arrived the two cannot be compared; then the hook looks whether it is a fast forward.
    start = old if known else ZERO
    return branch_problem(state, call.repo, call.actor, ref=ref, old=start, new=new)


def commands(body: bytes) -> list[tuple[str, str, str]]:
    """The ref updates at the head of a push, as (old, new, ref)."""
    found = []
    for packet in packets(body):
        words = packet.split(b"\0", 1)[0].decode("utf-8", "replace").strip().split(" ", 2)
        if words[0] == "shallow":  # a push from a shallow clone begins with where its history ends
            continue
        if len(words) != 3:
            break
        found.append((words[0], words[1], words[2]))
    return found


def _backend(call: GitCall, extra: dict[str, str]) -> Answer:
    git = call.repo.git
    env = {
        **git.environment,
        **extra,
        "GIT_PROJECT_ROOT": str(git.directory),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{call.rest}",
        "REQUEST_METHOD": call.method,
        "QUERY_STRING": call.query,
        "CONTENT_TYPE": call.content_type,
        "CONTENT_LENGTH": str(len(call.body)),
        "REMOTE_USER": call.actor.login or "anonymous",
        "REMOTE_ADDR": "127.0.0.1",
    }
    if call.encoding:
        env["HTTP_CONTENT_ENCODING"] = call.encoding
    if call.protocol:
        env["GIT_PROTOCOL"] = call.protocol
    done = subprocess.run(("git", "http-backend"), env=env, input=call.body, capture_output=True, check=False)
    return _cgi(done.stdout, done.stderr)


def _cgi(output: bytes, errors: bytes) -> Answer:
    head, mark, body = output.partition(b"\r\n\r\n")
    if not mark:
        return _text(500, "git http-backend: " + errors.decode(errors="replace")[-500:])
    headers = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip()] = value.strip()
    status = int(headers.pop("Status", "200 OK").split(" ", 1)[0])
    media = headers.pop("Content-Type", "application/octet-stream")
    return Answer(status=status, raw=body, media=media, headers=headers)
