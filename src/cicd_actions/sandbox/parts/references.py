"""What a Dockerfile starts from, and which stand-in can take its place. Nothing here touches the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cicd_actions.sandbox.parts.model import Substitution

_CONTINUED = re.compile(r"[\\`][ \t]*\n")
_ARGUMENT = re.compile(r"^ARG\s+(\w+)(?:=(\S+|\"[^\"]*\"|'[^']*'))?", re.IGNORECASE)
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_TAKEN = re.compile(r"(?:^COPY\b.*?\s--from=|^RUN\b.*?\s--mount=\S*?\bfrom=)([^\s,]+)", re.IGNORECASE)
_SYNTAX = re.compile(r"^#\s*syntax\s*=\s*(\S+)[^\n]*\n?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?([-+])([^}]*))?\}|(\w+))")
_SHORT = re.compile(
    r"^(?:docker\.io/|index\.docker\.io/)?(?:library/)?(?P<name>[a-z0-9._-]+)"
    r"(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]+))?$"
)
_PYTHON_TAG = re.compile(
    r"^(?P<version>3(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?(?:(?:a|b|rc)\d+)?|latest|slim)?"
    r"(?:-?(?P<rest>[a-z][\w.-]*))?$"
)
_PYTHONS = {"3.11": "bookworm", "3.13": "trixie"}
_OLDEST, _NEWEST = 8, 15
_FLAVOURS = {"", "slim"}
_DEBIANS = {
    "12": "bookworm",
    "bookworm": "bookworm",
    "13": "trixie",
    "trixie": "trixie",
    "stable": "trixie",
    "latest": "trixie",
}
AVAILABLE = "python (3.8 and later, Debian-based), debian (bookworm, trixie), scratch"


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A stand-in image: repository and tag in the base registry, and what it is made from.

    ``python`` is "" for a plain Debian; ``answers_for`` is the Python version that the Dockerfile expects when it is
    another one, so that paths with that version in them are found.
    """

    repository: str
    tag: str
    suite: str
    python: str = ""
    answers_for: str = ""


def bases(dockerfile: str, arguments: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The images that a Dockerfile takes from outside, in order: ``FROM``, ``COPY --from`` and ``RUN --mount=from``.

    ``ARG`` values before the first stage are filled in, those given in ``arguments`` first; earlier stages and
    ``scratch`` are left out.
    """
    given, values = dict(arguments or {}), dict[str, str]()
    stages: set[str] = set()
    found: dict[str, None] = {}
    in_stage = False
    for line in _instructions(dockerfile):
        if (match := _ARGUMENT.match(line)) and not in_stage:
            default = (match[2] or "").strip("\"'")
            values[match[1]] = given.get(match[1], expand(default, values))
        elif match := _FROM.match(line):
            in_stage = True
            image = expand(match[1], values)
            if image.lower() != "scratch" and image.lower() not in stages:
                found[image] = None
            stages.add((match[2] or "").lower())
        else:
            taken = (expand(image, values) for image in _TAKEN.findall(line))
            found |= {image: None for image in taken if image.lower() not in stages and not image.isdigit()}
    return tuple(found)


def frontend(dockerfile: str) -> str:
    """The image that a ``# syntax=`` line asks for; empty when there is none."""
    match = _SYNTAX.match(dockerfile)
    return match[1] if match else ""


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:+other}`` filled in."""

    def value(match: re.Match[str]) -> str:
        known = values.get(match[1] or match[4], "")
        if match[2] == "-":
            return known or match[3]
        return (match[3] if known else "") if match[2] == "+" else known

    return _VARIABLE.sub(value, text)


def choose(reference: str) -> tuple[StandIn, Substitution | None] | str:
    """The stand-in for an image reference, and what to announce where the two differ; a reason where there is none."""
    match = _SHORT.match(reference)
    if match is None:
        return "it is not one of Docker's official images"
    name, tag, digest = match["name"], match["tag"] or "latest", match["digest"] or ""
    if name == "python":
        chosen = _choose_python(tag)
    elif name == "debian":
        chosen = _choose_debian(tag)
    else:
        chosen = "there is no stand-in for that image"
    if isinstance(chosen, str):
        return chosen
    stand_in, difference = chosen
    if digest:
        difference = f"{difference + '; ' if difference else ''}the digest names an image that cannot be had"
    if not difference:
        return stand_in, None
    plain = f"{name}:{tag}"
    return stand_in, Substitution(reference=reference, stand_in=plain, why=difference, rewrite=bool(digest))


def rewrite(dockerfile: str, substitutions: Iterable[Substitution]) -> str:
    """The Dockerfile with the references replaced that no registry can answer for (digests, ``# syntax=`` lines)."""
    for one in substitutions:
        if one.rewrite and not one.stand_in:
            dockerfile = _SYNTAX.sub("", dockerfile, count=1)
        elif one.rewrite:
            dockerfile = dockerfile.replace(one.reference, one.stand_in)
    return dockerfile


def _instructions(dockerfile: str) -> Iterable[str]:
    kept = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    return (line.strip() for line in _CONTINUED.sub(" ", kept + "\n").splitlines() if line.strip())


def _choose_python(tag: str) -> tuple[StandIn, str] | str:
    match = _PYTHON_TAG.match(tag)
    if match is None:
        return "the tag is not understood"
    flavour, _, suite = (match["rest"] or "").partition("-")
    if flavour in {"bookworm", "trixie", "bullseye", "buster"}:
        flavour, suite = "", flavour
    if match["version"] == "slim":
        flavour, suite = "slim", match["rest"] or ""
    if flavour not in _FLAVOURS:
        return f"there is no stand-in for its flavour {flavour!r}"
    minor = match["minor"]
    if minor is not None and not _OLDEST <= int(minor) <= _NEWEST:
        return f"there is no stand-in for Python 3.{minor}"
    wanted = f"3.{minor}" if minor else ""
    python = wanted if wanted in _PYTHONS else "3.11" if minor and int(minor) < 12 else "3.13"
    differences = []
    if wanted != python:
        differences.append(f"Python {wanted or 'of that tag'} is not to be had here; it is Python {python}")
    elif match["patch"]:
        differences.append(f"it is Debian's Python {python}, not release {match['version']}")
    if not flavour:
        differences.append("it is the slim flavour, without compilers")
    if suite and suite != _PYTHONS[python]:
        differences.append(f"it is Debian {_PYTHONS[python]}, not {suite}")
    stand_in = StandIn(
        repository="library/python",
        tag=tag,
        suite=_PYTHONS[python],
        python=python,
        answers_for=wanted if wanted not in {"", python} else "",
    )
    return stand_in, "; ".join(differences)


def _choose_debian(tag: str) -> tuple[StandIn, str] | str:
    release = tag.removesuffix("-slim")
    suite = _DEBIANS.get(release.partition(".")[0])
    if suite is None:
        return f"there is no stand-in for Debian {release}"
    return StandIn(repository="library/debian", tag=tag, suite=suite), ""
