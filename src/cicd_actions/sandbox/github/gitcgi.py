"""Git over smart HTTP: the real `git http-backend`, with the rules of branches around it."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
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
# else is decided before and comes in a file: one line per ref that is refused, then the reason.
HOOK = """#!/bin/sh
ref=$1 old=$2 new=$3
if [ -n "$STANDIN_REFUSED" ] && reason=$(grep -F -m 1 "$ref	" "$STANDIN_REFUSED"); then
  printf '%s\\n' "$reason" | cut -f 2- | sed 's/^/error: /; s/\\\\n/\\
error: /g' >&2
  exit 1
fi
zero=0000000000000000000000000000000000000000
[ "$new" = $zero ] && exit 0
if [ -n "$STANDIN_LINEAR" ] && [ "$old" != $zero ]; then
  case " $STANDIN_LINEAR " in *" $ref "*)
    if ! git merge-base --is-ancestor "$old" "$new"; then
      echo "error: GH006: Protected branch update failed for $ref." >&2
      echo "error: Cannot force-push to this branch" >&2
      exit 1
    fi;;
  esac
fi
if [ -n "$STANDIN_WORKFLOWS" ]; then
  base=$old
  [ "$old" = $zero ] && base=$STANDIN_BASE
  path=$(git diff-tree -r --name-only --no-renames "$base" "$new" -- .github/workflows/ | head -n 1)
  if [ -n "$path" ]; then
    printf '%s\\n' "error: $STANDIN_WORKFLOWS" | sed "s|PATH|$path|" >&2
    exit 1
  fi
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
        with tempfile.TemporaryDirectory(prefix="push-", dir=call.repo.path) as folder:
            answer = _backend(call, _rules(state, call, Path(folder)))
        after = call.repo.refs()
        for ref in sorted(before.keys() | after.keys()):
            old, new = before.get(ref, ZERO), after.get(ref, ZERO)
            announce(state, Push(repository=call.repo, actor=call.actor, ref=ref, before=old, after=new))
    return answer


def _rules(state: State, call: GitCall, folder: Path) -> dict[str, str]:
    """The environment that tells the hook what to refuse."""
    repo, actor = call.repo, call.actor
    lines = []
    for old, new, ref in commands(call.body):
        known = new == ZERO or repo.object_type(new) is not None
        problem = _problem(state, call, ref=ref, old=old, new=new, known=known)
        if problem:
            code = "GH013" if problem.startswith("Repository rule") else "GH006"
            what = f"{code}: Protected branch update failed for {ref}."
            lines.append(f"{ref}\t{what}\\n{problem.strip()}".replace("\n", "\\n"))
    env = {}
    if lines:
        listed = folder / "refused"
        listed.write_text("\n".join(lines) + "\n")
        env["STANDIN_REFUSED"] = str(listed)
    linear = [
        f"refs/heads/{branch}"
        for (name, branch), rules in state.records.protections.items()
        if name == repo.full_name and not rules.allow_force and actor.login not in rules.bypass
    ]
    env["STANDIN_LINEAR"] = " ".join(linear)
    if not may_touch_workflows(repo, actor):
        env["STANDIN_WORKFLOWS"] = workflow_wording(actor, "PATH")
        env["STANDIN_BASE"] = repo.branch(repo.default_branch) or EMPTY_TREE
    return env


def _problem(state: State, call: GitCall, *, ref: str, old: str, new: str, known: bool) -> str:
    # Before the objects have arrived the two cannot be compared; then the hook looks whether it is a fast forward.
    start = old if known else ZERO
    return branch_problem(state, call.repo, call.actor, ref=ref, old=start, new=new)


def commands(body: bytes) -> list[tuple[str, str, str]]:
    """The ref updates at the head of a push, as (old, new, ref)."""
    found, at = [], 0
    while at + 4 <= len(body):
        try:
            size = int(body[at : at + 4], 16)
        except ValueError:
            break
        if size < 4:
            break
        line = body[at + 4 : at + size].split(b"\0", 1)[0].decode("utf-8", "replace").strip()
        words = line.split(" ", 2)
        if len(words) == 3:
            found.append((words[0], words[1], words[2]))
        at += size
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
