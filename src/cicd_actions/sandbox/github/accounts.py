"""People and bots, and the e-mail addresses that tie commits to them."""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass
from typing import Literal

from cicd_actions.sandbox.github.tokens import BOT

_NOREPLY = re.compile(r"(?:\d+\+)?(.+)@users\.noreply\.github\.com")


@dataclass(frozen=True, kw_only=True)
class Account:
    """One login. ``email`` is the public address that commits made through the API carry."""

    login: str
    id: int
    type: Literal["User", "Bot", "Organization"]
    name: str
    email: str


class Accounts:
    """All logins that were ever mentioned; an unknown one is made on the spot."""

    def __init__(self) -> None:
        self._ids = itertools.count(501)
        self._lock = threading.Lock()
        self._known: dict[str, Account] = {}
        self._emails: dict[str, str] = {}
        self._bot(BOT, 41898282)

    def _bot(self, login: str, number: int) -> None:
        self._known[login.lower()] = Account(
            login=login, id=number, type="Bot", name=login, email=_noreply(number, login)
        )

    def get(self, login: str) -> Account:
        """The account of a login."""
        with self._lock:
            found = self._known.get(login.lower())
            if found is None:
                number = next(self._ids)
                found = Account(
                    login=login,
                    id=number,
                    type="Bot" if login.endswith("[bot]") else "User",
                    name=login,
                    email=_noreply(number, login),
                )
                self._known[login.lower()] = found
            return found

    def add(self, login: str, *, name: str = "", emails: tuple[str, ...] = ()) -> Account:
        """Make or change an account: its display name and the addresses its commits may carry."""
        account = self.get(login)
        with self._lock:
            changed = Account(
                login=account.login,
                id=account.id,
                type=account.type,
                name=name or account.name,
                email=account.email,
            )
            self._known[login.lower()] = changed
            self._emails.update({email.lower(): login.lower() for email in emails})
        return changed

    def by_email(self, email: str) -> Account | None:
        """The account that a commit's address belongs to, or None."""
        with self._lock:
            login = self._emails.get(email.lower())
            if login is None and (match := _NOREPLY.fullmatch(email.lower())):
                login = match.group(1)
            return self._known.get(login) if login else None


def _noreply(number: int, login: str) -> str:
    return f"{number}+{login}@users.noreply.github.com"
