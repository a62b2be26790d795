"""How two commits lie to each other, and what changed between them.

Source: GitHub's REST page "Compare two commits" (three dots: head against the merge base). The first page holds at
most 300 files and 250 commits; further pages are read for nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cicd_actions.github.session import Session, segment

Status = Literal["identical", "ahead", "behind", "diverged"]
FILES_SHOWN = 300


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """``status`` of head as seen from base; ``files`` changed since the merge base (cut at 300)."""

    status: Status
    ahead_by: int
    behind_by: int
    merge_base: str
    files: tuple[str, ...]

    @property
    def contained(self) -> bool:
        """True when base already contains head."""
        return self.status in ("identical", "behind")


def compare(session: Session, base: str, head: str) -> Comparison | None:
    """Compare two branches or commits; None when one of them is not in the repository, or nothing is common.

    Raises:
        ConfigError, UpstreamError: No right to read, or GitHub failed.
    """
    answer = session.call(
        "GET",
        f"/compare/{segment(base)}...{segment(head)}",
        doing=f"compare {base[:60]!r} with {head[:60]!r}",
        accept=(404, 422),
        needs="contents: read",
    )
    if not answer.ok:
        return None
    data = answer.data
    return Comparison(
        status=data["status"],
        ahead_by=int(data["ahead_by"]),
        behind_by=int(data["behind_by"]),
        merge_base=str(data["merge_base_commit"]["sha"]),
        files=tuple(str(row["filename"]) for row in data.get("files") or ()),
    )
