"""Find the scalar that a key path names, and refuse what cannot be edited safely."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cicd_actions.errors import Problem
from cicd_actions.gitops.keypath import Index, Key, KeyPath, Match, Segment
from cicd_actions.gitops.tree import Node, Tree

_STANDARD_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Found:
    """The scalar, and where an empty one would begin: ``after`` is the end of its key (or of what is before it)."""

    node: Node
    after: int


@dataclass(frozen=True)
class Missing:
    """The path ends after ``depth`` segments, at ``node``, whose text begins behind ``after``."""

    depth: int
    problem: Problem
    node: Node | None = None
    after: int = 0


@dataclass(frozen=True)
class Refused:
    """The path names something that must not be edited."""

    problem: Problem


Outcome = Found | Missing | Refused


class _StopError(Exception):
    """Ends a walk early with its outcome."""

    def __init__(self, outcome: Missing | Refused) -> None:
        super().__init__()
        self.outcome = outcome


def find(tree: Tree, path: KeyPath, *, text: str, document: int | None = None) -> Found | Refused:
    """Find ``path`` in one document (counted from 0), or in the only document that has it.

    A key that exists but cannot be edited counts as a match, so that no second document is edited in its place.
    """
    name = str(path)
    if not tree.documents:
        return Refused(Problem(input=name, what="does not exist, the file has no content"))
    if document is not None and not 0 <= document < len(tree.documents):
        count = len(tree.documents)
        what = f"document {document} does not exist, the file has {count} (0 to {count - 1})"
        return Refused(Problem(input=name, what=what))
    roots = tree.documents if document is None else (tree.documents[document],)
    outcomes = [_walk(tree, root, path, text) for root in roots]
    hits = [outcome for outcome in outcomes if not isinstance(outcome, Missing)]
    if len(hits) > 1:
        places = [str(n) for n, outcome in enumerate(outcomes) if not isinstance(outcome, Missing)]
        what = f"is ambiguous: documents {', '.join(places)} of the file have it (counted from 0)"
        return Refused(Problem(input=name, what=what, fix="Name the document."))
    if hits:
        return hits[0]
    misses = [outcome for outcome in outcomes if isinstance(outcome, Missing)]
    return Refused(max(misses, key=lambda miss: miss.depth).problem)


def where_missing(tree: Tree, path: KeyPath, *, text: str, document: int | None = None) -> Missing | None:
    """Where a key could be added: how far its path leads in the document named, or in the only one.

    None means that the key is there, or that there is more than one document to choose from.
    """
    roots = tree.documents if document is None else tree.documents[document : document + 1]
    outcome = _walk(tree, roots[0], path, text) if len(roots) == 1 else None
    return outcome if isinstance(outcome, Missing) else None


def aliases_of(tree: Tree, node: Node) -> tuple[Node, ...]:
    """The aliases through which the value of ``node`` shows up elsewhere (its own anchor or one around it)."""
    holders = [n for n in tree.nodes if n.anchor and n.kind != "alias" and holds(n, node)]
    found: list[Node] = []
    for holder in holders:
        for later in tree.nodes[holder.number + 1 :]:
            if later.anchor != holder.anchor:
                continue
            if later.kind != "alias":
                break  # the anchor's name is given to something else from here on
            found.append(later)
    return tuple(found)


def line_of(text: str, at: int) -> int:
    """The line, from 1, of a position."""
    return text.count("\n", 0, at) + 1


def holds(outer: Node, inner: Node) -> bool:
    """True when ``inner`` is ``outer`` or is written inside it."""
    if outer is inner:
        return True
    return outer.kind != "scalar" and outer.start <= inner.start and inner.end <= outer.end


def _walk(tree: Tree, root: Node, path: KeyPath, text: str) -> Outcome:
    node, after = root, root.start
    for depth, segment in enumerate(path.segments):
        place = _Place(tree, path, depth, text)
        try:
            node, after = place.step(node, segment)
        except _StopError as stop:
            outcome = stop.outcome
            return replace(outcome, node=node, after=after) if isinstance(outcome, Missing) else outcome
    try:
        _Place(tree, path, len(path.segments), text).check_target(node)
    except _StopError as stop:
        return stop.outcome
    return Found(node, after)


@dataclass(frozen=True)
class _Place:
    """How far a walk has come: ``depth`` segments of ``path`` are behind it."""

    tree: Tree
    path: KeyPath
    depth: int
    text: str

    def step(self, node: Node, segment: Segment) -> tuple[Node, int]:
        """Go one segment down; the child and the position after which its text begins."""
        if node.kind == "alias":
            raise self._aliased(node)
        if isinstance(segment, Key):
            return self._key(node, segment)
        if node.kind != "sequence":
            raise self._missing(f"{self._here()} is {_kind(node)}, not a list", "")
        positions = range(len(node.children))
        if isinstance(segment, Index):
            hits = [n for n in positions if n == segment.number]
        else:
            hits = [n for n in positions if self._matches(node.children[n], segment)]
        if not hits:
            raise self._missing(f"{self._here()} has no {segment}", self._entries(node, segment))
        if len(hits) > 1:
            what = f"is ambiguous: {len(hits)} entries of {self._here()} match {segment}"
            raise self._refuse(what, "Use the position instead, for example [0].")
        at = hits[0]
        return node.children[at], node.children[at - 1].end if at else node.start

    def check_target(self, node: Node) -> None:
        """Only a scalar that is written here, and may be a string, can be set."""
        if node.kind == "alias":
            raise self._aliased(node)
        if node.kind != "scalar":
            raise self._refuse(f"is {_kind(node)}, not a single value", "Name a key inside it.")
        kind = node.tag.removeprefix(_STANDARD_TAG)
        if node.tag.startswith(_STANDARD_TAG) and kind != "str":
            raise self._refuse(f"has the explicit type !!{kind}", "Remove the type from the file.")

    def _key(self, node: Node, segment: Key) -> tuple[Node, int]:
        if node.kind != "mapping":
            raise self._missing(f"{self._here()} is {_kind(node)}, it has no keys", "")
        hits = [(k, v) for k, v in node.pairs() if k.kind == "scalar" and k.value == segment.name]
        if len(hits) > 1:
            lines = ", ".join(str(line_of(self.text, key.start)) for key, _ in hits)
            what = f"the key {segment} is there {len(hits)} times, in lines {lines}"
            raise self._refuse(what, "Remove the duplicates.")
        if hits:
            return hits[0][1], hits[0][0].end
        merged = next(_merged(self.tree, node, segment.name), None)
        if merged:
            anchor, line = merged.anchor, line_of(self.text, merged.start)
            what = f"comes from the anchor &{anchor} that line {line} merges into {self._here()}"
            fix = "Set it where the anchor is, or write the key here first."
            raise self._refuse(what, fix)
        raise self._missing(f"{self._here()} has no key {segment}", self._keys(node, segment.name))

    def _matches(self, entry: Node, segment: Match) -> bool:
        if entry.kind != "mapping":
            return False
        return any(
            key.kind == value.kind == "scalar" and key.value == segment.name and value.value == segment.value
            for key, value in entry.pairs()
        )

    def _here(self) -> str:
        return f"'{self.path.upto(self.depth)}'" if self.depth else "the document"

    def _keys(self, node: Node, name: str) -> str:
        import difflib

        names = [key.value for key, _ in node.pairs() if key.kind == "scalar" and key.value != "<<"]
        near = difflib.get_close_matches(name, names, n=1)
        if near:
            guess = KeyPath((*self.path.segments[: self.depth], Key(near[0])))
            return f"Perhaps you meant '{guess}'."
        return f"Keys there: {_some(names)}."

    def _entries(self, node: Node, segment: Segment) -> str:
        if isinstance(segment, Match):
            names = [
                value.value
                for entry in node.children
                if entry.kind == "mapping"
                for key, value in entry.pairs()
                if key.value == segment.name
            ]
            return f"Values of {segment.name} there: {_some(names)}."
        return f"The list has {len(node.children)} entries, counted from 0."

    def _aliased(self, node: Node) -> _StopError:
        line = line_of(self.text, node.start)
        what = f"is reached through the alias *{node.anchor} in line {line}"
        return self._refuse(what, f"Set the value where the anchor &{node.anchor} is.")

    def _missing(self, what: str, fix: str) -> _StopError:
        problem = Problem(input=str(self.path), what=f"does not exist: {what}", fix=fix)
        return _StopError(Missing(self.depth, problem))

    def _refuse(self, what: str, fix: str) -> _StopError:
        return _StopError(Refused(Problem(input=str(self.path), what=what, fix=fix)))


def _merged(tree: Tree, node: Node, name: str, seen: frozenset[int] = frozenset()) -> Iterator[Node]:
    """The aliases under ``<<`` whose mappings (or theirs in turn) have the key ``name``."""
    for source in _sources(node):
        target = _anchored(tree, source)
        if target is None or target.kind != "mapping" or target.number in seen:
            continue
        own = any(key.kind == "scalar" and key.value == name for key, _ in target.pairs())
        if own or any(_merged(tree, target, name, seen | {target.number})):
            yield source


def _sources(node: Node) -> Iterator[Node]:
    for key, value in node.pairs():
        if key.value == "<<" and not key.style:
            yield from (n for n in (value, *value.children) if n.kind == "alias")


def _anchored(tree: Tree, alias: Node) -> Node | None:
    before = reversed(tree.nodes[: alias.number])
    return next((n for n in before if n.kind != "alias" and n.anchor == alias.anchor), None)


def _kind(node: Node) -> str:
    return {"mapping": "a mapping", "sequence": "a list"}.get(node.kind, "a single value")


def _some(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return (shown + (", ..." if len(names) > most else "")) or "none"
