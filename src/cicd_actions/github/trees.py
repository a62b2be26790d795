"""Commits made piece by piece (blobs, tree, commit, ref), which keep the modes that `createCommitOnBranch` loses.

Source: GitHub's REST pages "Git blobs", "Git trees", "Git commits", "Git references"; the GraphQL object ``TreeEntry``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from cicd_actions.errors import ActionError
from cicd_actions.github.answer import Answer
from cicd_actions.github.commits import Commit, CommitOutcome
from cicd_actions.github.problems import refusal
from cicd_actions.github.refs import RefUpdate, fast_forward
from cicd_actions.github.session import Session, segment

PLAIN = "100644"
EXECUTABLE = "100755"
_WRITE = "contents: write"


def file_modes(session: Session, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """Return the modes of files at a commit, such as 100644, in one request; a file that is not there is left out.

    Raises:
        ConfigError, ActionError, UpstreamError: GitHub refused or failed.
    """
    doing = "read the modes of files"
    names = ", ".join(f"$p{number}: String!" for number in range(len(paths)))
    fields = " ".join(f"f{number}: file(path: $p{number}) {{ mode }}" for number in range(len(paths)))
    query = (
        f"query($owner: String!, $name: String!, $oid: GitObjectID!, {names}) {{"
        f" repository(owner: $owner, name: $name) {{ object(oid: $oid) {{ ... on Commit {{ {fields} }} }} }} }}"
    )
    owner, _, name = session.repository.partition("/")
    variables = {"owner": owner, "name": name, "oid": commit}
    variables |= {f"p{number}": path for number, path in enumerate(paths)}
    answer = session.graphql(query, variables, doing=doing, needs="contents: read")
    found = ((answer.data.get("data") or {}).get("repository") or {}).get("object")
    if answer.data.get("errors") or not isinstance(found, Mapping):
        said = Answer(status=422, data={"message": "no such commit", **answer.data})
        raise refusal(said, doing=doing, repository=session.repository)
    rows = {path: found.get(f"f{number}") for number, path in enumerate(paths)}
    return {path: f"{int(row['mode']):o}" for path, row in rows.items() if row}


def commit_tree(
    session: Session, *, branch: str, parent: str, message: str, files: Mapping[str, tuple[str, bytes]]
) -> CommitOutcome:
    """Commit files (path -> mode and content) on top of ``parent`` if the branch still points there.

    The branch only moves forward, so a commit on an old head is refused and nothing is lost. GitHub signs such a commit
    for an App or a job, not for a person's token.

    Raises:
        ConfigError, ActionError, UpstreamError: Missing rights, refused content, or GitHub failed.
    """
    doing = f"commit to the branch {branch!r}"
    base = _sha(session.call("GET", f"/git/commits/{segment(parent)}", doing=doing).data.get("tree"), doing)
    entries = []
    for path, (mode, data) in files.items():
        body = {"content": base64.b64encode(data).decode(), "encoding": "base64"}
        blob = session.call("POST", "/git/blobs", doing=doing, body=body, needs=_WRITE)
        entries.append({"path": path, "mode": mode, "type": "blob", "sha": _sha(blob.data, doing)})
    body_of_tree = {"base_tree": base, "tree": entries}
    tree = session.call("POST", "/git/trees", doing=doing, body=body_of_tree, needs=_WRITE)
    # a commit that no ref points at is seen by nobody, so a second one after a lost answer does no harm
    body_of_commit = {"message": message, "tree": _sha(tree.data, doing), "parents": [parent]}
    made = session.call("POST", "/git/commits", doing=doing, body=body_of_commit, needs=_WRITE)
    sha = _sha(made.data, doing)
    moved = fast_forward(session, branch, sha)
    if moved.kind is RefUpdate.UPDATED:
        return CommitOutcome(kind=Commit.COMMITTED, sha=sha, url=str(made.data.get("html_url", "")))
    stale = moved.kind is RefUpdate.NOT_FAST_FORWARD
    return CommitOutcome(kind=Commit.STALE_HEAD if stale else Commit.PROTECTED, message=moved.message)


def _sha(data: object, doing: str) -> str:
    if not isinstance(data, Mapping) or "sha" not in data:
        raise ActionError(f"GitHub's answer made no sense when trying to {doing}.")
    return str(data["sha"])
