"""The rules of a branch that stand in the way of a direct commit, as far as a login may know them.

Source: GitHub's REST page "Rules" (rules for a branch; a ruleset's ``current_user_can_bypass``). Classic branch
protection can be read by administrators only, so it is met when it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cicd_actions.github.session import Session, segment

_IN_THE_WAY = ("pull_request", "required_status_checks", "update", "merge_queue", "required_deployments")


@dataclass(frozen=True, kw_only=True)
class InTheWay:
    """Kinds of rules that refuse a direct commit; ``certain`` when GitHub says that this login cannot pass them."""

    kinds: tuple[str, ...]
    certain: bool


def in_the_way(session: Session, branch: str) -> InTheWay:
    """Ask which rules of rulesets refuse a direct commit to a branch; none when that may not be read.

    Raises:
        ConfigError, UpstreamError: The token is not accepted, or GitHub failed.
    """
    answer = session.call(
        "GET",
        f"/rules/branches/{segment(branch, slashes=True)}",
        doing=f"read the rules of the branch {branch!r}",
        accept=(403, 404, 422),
    )
    rows = answer.data if answer.ok and isinstance(answer.data, list) else []
    rules = [row for row in rows if isinstance(row, Mapping) and row.get("type") in _IN_THE_WAY]
    rulesets = {int(row["ruleset_id"]) for row in rules if str(row.get("ruleset_id", "")).isdecimal()}
    certain = any(_closed(session, number) for number in sorted(rulesets))
    return InTheWay(kinds=tuple(dict.fromkeys(str(row["type"]) for row in rules)), certain=certain)


def _closed(session: Session, number: int) -> bool:
    answer = session.call("GET", f"/rulesets/{number}", doing="read a ruleset", accept=(403, 404))
    return answer.ok and answer.data.get("current_user_can_bypass") in ("never", "pull_requests_only")
