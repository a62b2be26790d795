"""gitops-tag-update on a bare repository over file://, with the rejections that only real git makes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.github import commit_all, git

from cicd_actions.cli import main

FILE = "helm-chart/values.yaml"
VALUES = "image:\r\n  tag: \"1.0.0\"\t# tab\r\n  digest: ''\r\n"
DIGEST = "sha256:" + "a" * 64

Run = Callable[..., tuple[int, dict[str, str], str]]


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    bare = tmp_path / "origin.git"
    git("init", "-q", "--bare", "--initial-branch=main", bare, cwd=tmp_path)
    git("clone", "-q", bare, "work", cwd=tmp_path)
    work = tmp_path / "work"
    (work / "helm-chart").mkdir()
    (work / FILE).write_bytes(VALUES.encode())
    commit_all(work, "Values with CRLF", {})
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    commit_all(work, "Conversions, for those who have a work tree", {".gitattributes": "* text=auto eol=lf\n"})
    git("push", "-q", "origin", "HEAD:main", cwd=work)
    return bare


@pytest.fixture
def run(origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str, **env: str) -> tuple[int, dict[str, str], str]:
        basic = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "RUNNER_TEMP": str(tmp_path / "temp")}
        argv = ["gitops-tag-update", "--json", "--repository", origin.as_uri(), "--image", "ghcr.io/acme/app"]
        argv += ["--verify-digest", "false"]
        if "--tag" not in words:
            argv += ["--tag", "1.1.0", "--digest", DIGEST]
        code = main([*argv, *words], basic | env)
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else {}, captured.err

    return call


def changed(diff: str) -> list[str]:
    """The lines that a diff takes out and puts in."""
    return [line for line in diff.splitlines() if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))]


def show(origin: Path, name: str = FILE) -> str:
    return git("show", f"main:{name}", cwd=origin).stdout


def test_only_the_values_change(origin: Path, run: Run) -> None:
    before = git("ls-tree", "-r", "main", cwd=origin).stdout.splitlines()
    code, outputs, err = run()
    assert code == 0, err
    after = git("ls-tree", "-r", "main", cwd=origin).stdout.splitlines()
    assert [line for line in after if line not in before] == [line for line in after if line.endswith(FILE)]
    assert git("rev-parse", "main", cwd=origin).stdout.strip() == outputs["commit-sha"]
    expected = VALUES.replace("1.0.0", "1.1.0").replace("digest: ''", f"digest: '{DIGEST}'")
    whole = subprocess.run(["git", "show", f"main:{FILE}"], cwd=origin, capture_output=True, check=True)
    assert whole.stdout == expected.encode()
    log = git("log", "-p", "-1", "--format=%an", "main", cwd=origin).stdout
    assert changed(log) == changed(outputs["diff"])
    assert len(changed(log)) == 4


def test_executable_bit_stays(origin: Path, run: Run, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "values").write_text("tag: a\n")
    (work / "values").chmod(0o755)
    commit_all(work, "Executable values", {})
    git("push", "-q", "origin", "HEAD:main", cwd=work)
    code, _, err = run("--file", "values", "--updates", "tag=b")
    assert code == 0, err
    assert git("ls-tree", "main", "values", cwd=origin).stdout.startswith("100755")
    assert show(origin, "values") == "tag: b\n"


def test_symbolic_link_is_refused(run: Run, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "link.yaml").symlink_to(FILE)
    commit_all(work, "Link", {})
    git("push", "-q", "origin", "HEAD:main", cwd=work)
    code, _, err = run("--file", "link.yaml")
    assert code == 2
    assert "not a plain file" in err


HOOK = """#!/bin/sh
# Another writer is faster: main moves between this push's look at the branch and its update.
if [ -f moved ]; then exit 0; fi
touch moved
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
git update-ref refs/heads/main refs/heads/side
"""


def test_race_inside_the_server(origin: Path, run: Run, tmp_path: Path) -> None:
    """The branch moves after the server has told where it is: git's rarer wordings of a lost race."""
    work = tmp_path / "work"
    side = commit_all(work, "Other writer", {"new.txt": "theirs"})
    git("push", "-q", "origin", "HEAD:side", cwd=work)
    hook = origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    code, outputs, err = run()
    assert code == 0, err
    assert "The branch moved" in err
    assert git("rev-parse", "main^", cwd=origin).stdout.strip() == side
    assert git("rev-parse", "main", cwd=origin).stdout.strip() == outputs["commit-sha"]


def test_hook_that_declines(origin: Path, run: Run) -> None:
    hook = origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'GH013: Repository rule violations found' >&2\nexit 1\n")
    hook.chmod(0o755)
    head = git("rev-parse", "main", cwd=origin).stdout
    code, _, err = run()
    assert code == 1
    assert "GH013" in err
    assert git("rev-parse", "main", cwd=origin).stdout == head


def test_empty_repository(run: Run, tmp_path: Path) -> None:
    git("init", "-q", "--bare", "empty.git", cwd=tmp_path)
    code, _, err = run("--repository", (tmp_path / "empty.git").as_uri())
    assert code == 2
    assert "needs a first commit" in err


def test_no_repository(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--repository", (tmp_path / "nothing.git").as_uri())
    assert code == 2
    assert "was not found" in err


def test_hostile_file_names_and_branches(run: Run) -> None:
    for words in (("--file", "../x.yaml"), ("--file", ".git/config"), ("--branch", "--upload-pack=x")):
        code, _, err = run(*words)
        assert code == 2, err


def test_settings_of_the_caller_do_not_interfere(origin: Path, run: Run, tmp_path: Path) -> None:
    """Other people's git variables, hooks and conversions have no say in what is written."""
    marker = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (hooks / "pre-push").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n")
    code, _, err = run(GIT_DIR=str(tmp_path / "work/.git"), GIT_INDEX_FILE="/nonexistent/index")
    assert code == 0, err
    assert not marker.exists()
    assert '"1.1.0"' in show(origin)


SSH = """#!/bin/sh
# Stands in for ssh: notes how it was called, then runs the command on this machine.
key=$2
{ echo "$*"; stat -c %a "$key"; cat "$key"; } >> "$HOME/ssh.log"
for last; do :; done
exec sh -c "$last"
"""


def test_ssh_key(origin: Path, run: Run, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "ssh").write_text(SSH)
    (tools / "ssh").chmod(0o755)
    address = f"ssh://git@git.example{origin}"
    env = {"PATH": f"{tools}:/usr/bin:/bin", "INPUT_SSH-KEY": "-----BEGIN KEY-----\r\nsecret\r\n-----END KEY-----"}
    code, _, err = run("--repository", address, **env)
    assert code == 0, err
    assert '"1.1.0"' in show(origin)
    words, mode, *key = (tmp_path / "ssh.log").read_text().splitlines()[:5]
    assert "IdentitiesOnly=yes" in words
    assert "secret" not in words
    assert mode == "600"
    assert key == ["-----BEGIN KEY-----", "secret", "-----END KEY-----"]
    assert not any((tmp_path / "temp").iterdir())


def test_ssh_refused(run: Run, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "ssh").write_text("#!/bin/sh\necho 'git@h: Permission denied (publickey).' >&2\nexit 255\n")
    (tools / "ssh").chmod(0o755)
    code, _, err = run("--repository", "git@git.example:acme/x.git", PATH=f"{tools}:/usr/bin:/bin")
    assert code == 2
    assert "ssh-key" in err
