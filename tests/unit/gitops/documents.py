"""Generated YAML that knows where each of its scalars is.

The generator writes text, not data: comments, blank lines, quotes, block and flow style, line ends, a byte order mark
and non-ASCII text are all drawn. Beside the text it notes path, value and exact place of every scalar.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from cicd_actions.gitops.keypath import Index, Key, KeyPath, Segment

WORDS = [
    *(
        "nginx",
        "ghcr.io/acme/app",
        "1.2.3",
        "v1.0.0-rc.1",
        "IfNotPresent",
        "café",
        "日本語",
        "naïve-ümlaut",
        "emoji-🚀",
    ),
    *("sha256:0f1e", "a b c", "x#y", "--flag=1", "http://a.b/c#d=e", "100m", "1.0.0+build"),
]
ODD = [*WORDS, "it's", 'say "x"', "a: b", " lead", "a #b", "", "true", "1.10", "12e5", "{{ x }}", "[a]", "back\\slash"]
COMMENTS = ["# plain", "#", "# key: value", "#\ttab", "# ünï 日本", "# 'quote \"", "# a # b", "# {x: [1, 2]}"]
KEYS = ["image", "tag", "name", "a.b", "app.kubernetes.io/name", "x y", "ключ", "k-1", "k_2", "8080", "on", "true"]


@dataclass(frozen=True)
class Scalar:
    """A scalar of the text: its place in characters, its value and its quoting."""

    path: KeyPath
    start: int
    end: int
    value: str
    style: str


@dataclass
class Writer:
    """The text so far."""

    draw: st.DrawFn
    newline: str
    parts: list[str] = field(default_factory=list)
    length: int = 0
    scalars: list[Scalar] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def pick(self, items: list[str]) -> str:
        return self.draw(st.sampled_from(items))

    def end_line(self) -> None:
        if self.chance():
            self.add(self.pick([" ", "   ", "\t", " \t "]) + self.pick(COMMENTS))
        elif self.chance():
            self.add(self.pick(["", " ", "  "]))
        self.add(self.newline)
        if self.chance():
            self.add(self.pick(["", "  ", "      "]) + self.pick(COMMENTS) + self.newline)
        if self.chance():
            self.add(self.newline)

    def scalar(self, path: tuple[Segment, ...]) -> None:
        style = self.pick(["", "'", '"'])
        if style:
            value = self.pick(ODD)
            inner = value.replace("'", "''") if style == "'" else value.replace("\\", "\\\\").replace('"', '\\"')
            text = style + inner + style
        else:
            text = value = self.pick(WORDS)
        if self.chance() and self.chance():
            self.add(f"&anchor{len(self.scalars)} ")
        start = self.length
        self.add(text)
        self.scalars.append(Scalar(KeyPath(path), start, self.length, value, style))

    def key(self, name: str) -> None:
        quote = self.pick(["", '"', "'"])
        self.add(f"{quote}{name}{quote}:")

    def flow(self, path: tuple[Segment, ...], depth: int) -> None:
        gap = self.pick(["", " ", f"{self.newline}          "])
        if self.chance():
            self.add("[" + gap)
            for number in range(self.draw(st.integers(0, 3))):
                self.add(f",{gap} " if number else "")
                self.flow_item((*path, Index(number)), depth)
            self.add(gap + "]")
            return
        self.add("{" + gap)
        for number, name in enumerate(self.names()):
            self.add(f", {gap}" if number else "")
            self.key(name)
            self.add(" ")
            self.flow_item((*path, Key(name)), depth)
        self.add(gap + "}")

    def flow_item(self, path: tuple[Segment, ...], depth: int) -> None:
        if depth and self.chance():
            self.flow(path, depth - 1)
        else:
            self.scalar(path)

    def names(self) -> list[str]:
        return self.draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))

    def block(self, path: tuple[Segment, ...], depth: int, indent: str) -> None:
        """A block collection that starts on a fresh line."""
        if path and self.chance():
            for number in range(self.draw(st.integers(1, 3))):
                self.add(f"{indent}-")
                self.value((*path, Index(number)), depth, indent)
            return
        for name in self.names():
            self.add(indent)
            self.key(name)
            self.value((*path, Key(name)), depth, indent)

    def value(self, path: tuple[Segment, ...], depth: int, indent: str) -> None:
        if depth and self.chance():
            self.end_line()
            self.block(path, depth - 1, indent + self.pick(["  ", "    ", " "]))
            return
        self.add(self.pick([" ", "   "]))
        if self.chance() and self.chance():
            self.flow(path, depth)
        else:
            self.scalar(path)
        self.end_line()


@dataclass(frozen=True)
class Document:
    """A generated file."""

    text: str
    bom: bool
    scalars: tuple[Scalar, ...]

    @property
    def data(self) -> bytes:
        return (b"\xef\xbb\xbf" if self.bom else b"") + self.text.encode()

    def replaced(self, scalar: Scalar, text: str) -> bytes:
        """The file with other text in the place of one scalar."""
        whole = self.text[: scalar.start] + text + self.text[scalar.end :]
        return (b"\xef\xbb\xbf" if self.bom else b"") + whole.encode()


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Files with at least one scalar."""
    writer = Writer(draw, draw(st.sampled_from(["\n", "\r\n"])))
    if writer.chance():
        writer.add(writer.pick(COMMENTS) + writer.newline)
    if writer.chance():
        writer.add("---" + writer.newline)
    writer.block((), draw(st.integers(0, 3)), "")
    text = "".join(writer.parts)
    if writer.chance():
        text = text.rstrip("\r\n \t")
    scalars = tuple(scalar for scalar in writer.scalars if scalar.end <= len(text))
    return Document(text, draw(st.booleans()), scalars)
