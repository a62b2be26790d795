"""Git without a work tree: fetch one commit without its files, read and write single files, push one commit."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cicd_actions.errors import ActionError, ConfigError, Problem
from cicd_actions.gitops.target import accepts_token
from cicd_actions.process import Completed, run
from cicd_actions.runner.secrets import Secret

_TIMEOUT = 300.0
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAME = "github-actions[bot]"
_EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"


@dataclass(frozen=True)
class GitRepository:
    """A private bare repository in ``folder`` whose only remote is ``url``; ``env`` is what git gets to see."""

    folder: Path
    url: str
    env: Mapping[str, str]

    def git(self, *words: str, input: str | None = None) -> Completed:  # noqa: A002 - as in process.run
        """Run git here; the caller judges the exit code."""
        argv = ["git", "--git-dir", str(self.folder), "-c", "core.hooksPath=/dev/null", *words]
        return run(argv, cwd=self.folder, env=self.env, input=input, timeout=_TIMEOUT)

    def must(self, *words: str, input: str | None = None) -> str:  # noqa: A002 - as in process.run
        """Run a local git command that has no reason to fail; its output without the last newline.

        Raises:
            ActionError: It failed all the same.
        """
        done = self.git(*words, input=input)
        if not done.ok:
            raise ActionError(f"git {words[0]} failed: {last_words(done)}")
        return done.stdout.rstrip("\n")

    def create(self) -> None:
        """Make the repository, set up to fetch files only when they are asked for."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = run(["git", "init", "--quiet", "--bare", "--template=", str(self.folder)], env=self.env, timeout=60)
        if not done.ok:
            raise ActionError(f"git init failed: {last_words(done)}")
        for key, value in (
            ("remote.origin.url", self.url),
            ("remote.origin.promisor", "true"),
            ("remote.origin.partialclonefilter", "blob:none"),
            ("gc.auto", "0"),
        ):
            self.must("config", key, value)

    def fetch(self, branch: str, *, depth: int = 1) -> Completed:
        """Fetch the newest commits of a branch, with folders and without files."""
        words = ("--quiet", "--no-tags", "--no-write-fetch-head", f"--depth={depth}", "--filter=blob:none")
        return self.git("fetch", *words, "--force", "origin", f"refs/heads/{branch}:refs/remote/head")

    def head(self) -> str:
        """The commit that was fetched last."""
        return self.must("rev-parse", "--verify", "refs/remote/head^{commit}")

    def holds(self, commit: str) -> bool:
        """Whether what was fetched last contains a commit of ours."""
        return self.git("merge-base", "--is-ancestor", commit, "refs/remote/head").ok

    def entry(self, head: str, path: str) -> tuple[str, str] | None:
        """Mode and blob of a file at a commit, or None.

        Raises:
            ConfigError: The path is a folder, a symbolic link or a submodule.
        """
        line = self.must("ls-tree", "-z", "--full-tree", head, "--", path).rstrip("\0")
        if not line:
            return None
        mode, kind, blob = line.split("\t", 1)[0].split(" ")
        if kind != "blob" or mode == "120000":
            raise ConfigError(Problem(input="file", value=path, what="is not a plain file in the repository"))
        return mode, blob

    def unpack(self, blob: str) -> Completed:
        """Write a blob's bytes, untouched by any conversion, to a file here; prints its name. May fetch it."""
        return self.git("unpack-file", blob)

    def write_commit(self, head: str, additions: Mapping[str, bytes], message: str) -> str:
        """Make a commit on top of ``head`` that changes these files and nothing else; return its SHA."""
        index = self.folder / "index"
        index.unlink(missing_ok=True)
        self.must("read-tree", head)
        for number, (path, data) in enumerate(additions.items()):
            source = self.folder / f"addition-{number}"
            source.write_bytes(data)
            blob = self.must("hash-object", "-w", "--no-filters", str(source))
            entry = self.entry(head, path)
            mode = entry[0] if entry else "100644"
            self.must("update-index", "-z", "--index-info", input=f"{mode} {blob}\t{path}\0")
        tree = self.must("write-tree", "--missing-ok")
        commit = self.must("commit-tree", tree, "-p", head, "-F", "-", input=message)
        if not _SHA.fullmatch(commit):
            raise ActionError(f"git commit-tree printed no commit: {commit[:100]!r}")
        return commit

    def push(self, commit: str, branch: str) -> Completed:
        """Push one commit, never with force."""
        return self.git("push", "--porcelain", "--no-verify", "origin", f"{commit}:refs/heads/{branch}")


def last_words(done: Completed) -> str:
    """What git said in the end, on one line, for an error's text."""
    if done.timed_out:
        return f"no end after {done.seconds:.0f} s"
    text = " ".join((done.stderr.strip() or done.stdout.strip()).split())
    return text[-400:] or f"exit code {done.returncode}"


def environment(base: Mapping[str, str], *, url: str, token: Secret, ssh_key: Secret, folder: Path) -> dict[str, str]:
    """What git gets to see: the runner's environment without other people's git settings, and the way to sign in.

    The token travels in the environment as a header for this host only, the key in a file of mode 600 in ``folder``;
    neither is ever an argument or part of an address.
    """
    env = {name: value for name, value in base.items() if not name.startswith(("GIT_", "INPUT_", "SSH_ASKPASS"))}
    env |= {name: base[name] for name in ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH") if name in base}
    env |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh:file",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": "60",
        "GIT_AUTHOR_NAME": base.get("GIT_AUTHOR_NAME", _NAME),
        "GIT_AUTHOR_EMAIL": base.get("GIT_AUTHOR_EMAIL", _EMAIL),
        "GIT_COMMITTER_NAME": base.get("GIT_COMMITTER_NAME", _NAME),
        "GIT_COMMITTER_EMAIL": base.get("GIT_COMMITTER_EMAIL", _EMAIL),
    }
    if accepts_token(url, token.reveal()):
        basic = base64.b64encode(f"x-access-token:{token.reveal()}".encode()).decode()
        env |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
    if ssh_key:
        env["GIT_SSH_COMMAND"] = _ssh(ssh_key, folder)
    return env


def _ssh(ssh_key: Secret, folder: Path) -> str:
    """The ssh command with our key alone. A host seen for the first time is accepted, a changed one is not."""
    path = folder / "key"
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(ssh_key.reveal().replace("\r\n", "\n").strip() + "\n", encoding="utf-8")
    options = ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=accept-new")
    words = ["ssh", "-i", str(path)]
    for option in options:
        words += ["-o", option]
    return shlex.join(words)
