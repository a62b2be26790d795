"""One update on its way to a branch: the edit, the guards before it, the message behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from cicd_actions.gitops.contention import Backoff, Landing, Remote, land
from cicd_actions.gitops.evidence import Evidence
from cicd_actions.gitops.message import Message, compose
from cicd_actions.gitops.plan import Plan, Rules, make_plan
from cicd_actions.gitops.settings import Settings
from cicd_actions.runner.context import RunContext


@dataclass(frozen=True)
class Update:
    """What shall be set, who can be asked before, and the time that counts for holds."""

    settings: Settings
    context: RunContext
    evidence: Evidence
    backoff: Backoff
    now: datetime

    def land(
        self, remote: Remote, *, dry_run: bool = False, before_commit: Callable[[], tuple[str, ...]] | None = None
    ) -> Landing:
        """Put the update on a branch; errors as in `contention.land`.

        Args:
            remote: The branch.
            dry_run: Stop before the commit, whatever the settings say.
            before_commit: Looks once more when there is something to commit; gives remarks, or raises.
        """

        def plan(files: Mapping[str, bytes | None], head: str) -> Plan:
            made = self._plan(files, head)
            if not made.additions:
                return made
            more = (*self.evidence.check_image(), *(before_commit() if before_commit else ()))
            return replace(made, remarks=(*made.remarks, *more))

        return land(
            remote,
            self.settings.files,
            plan=plan,
            message=self.message,
            backoff=self.backoff,
            dry_run=dry_run or self.settings.dry_run,
        )

    def message(self, plan: Plan) -> Message:
        """The message of the commit, and title and text of a pull request."""
        chosen = self.settings
        return compose(chosen.message, plan, chosen.words, app=chosen.app, run_url=self.context.run_url)

    def _plan(self, files: Mapping[str, bytes | None], head: str) -> Plan:
        chosen = self.settings
        rules = Rules(
            create_missing=chosen.create_missing,
            allow_downgrade=chosen.allow_downgrade,
            ignore_hold=chosen.ignore_hold,
            guard=self.evidence.guard,
            now=self.now,
        )
        where = f"{chosen.target.name}, branch {chosen.branch} at {head[:12]}"
        return make_plan(files, chosen.updates, where=where, rules=rules)
