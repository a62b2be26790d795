"""Which links are accepted, and how they are kept."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shortlinks.links import (
    AliasTakenError,
    InvalidLinkError,
    LinkStore,
    StoreFullError,
    check_alias,
    check_url,
)


@pytest.mark.parametrize(
    "url",
    ["https://example.com", "http://example.com:8080/a?b=c#d", "https://[::1]/x"],
)
def test_web_addresses_are_accepted(url):
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "example.com",
        "ftp://example.com/",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://[::1/x",
        "https://example.com/\r\nSet-Cookie: a=b",
        "https://example.com/a b",
        "https://exämple.com/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_anything_else_is_refused(url):
    with pytest.raises(InvalidLinkError, match="'url'"):
        check_url(url)


@pytest.mark.parametrize("alias", [None, "", "ab", "a/b", "a" * 33, "API", "metrics"])
def test_an_alias_has_a_form_and_hides_nothing(alias):
    with pytest.raises(InvalidLinkError, match="'alias'"):
        check_alias(alias)


def test_a_visit_is_counted_and_a_look_is_not():
    store = LinkStore(capacity=1)
    link, new = store.add("https://example.com")
    assert new
    assert store.follow(link.code).hits == 1
    assert store.get(link.code).hits == 1


def test_the_same_alias_for_the_same_target_is_no_error():
    store = LinkStore(capacity=1)
    assert store.add("https://example.com", "docs")[1]
    assert not store.add("https://example.com", "docs")[1]
    with pytest.raises(AliasTakenError):
        store.add("https://example.org", "docs")


def test_the_store_is_bounded_and_removal_makes_room():
    store = LinkStore(capacity=1)
    store.add("https://example.com", "one")
    with pytest.raises(StoreFullError):
        store.add("https://example.com", "two")
    assert store.remove("one")
    assert not store.remove("one")
    assert store.add("https://example.com", "two")[1]


def test_a_code_in_use_or_reserved_is_not_given_out_again():
    codes = iter(["same", "same", "metrics", "other"])
    store = LinkStore(capacity=2, new_code=lambda: next(codes))
    assert store.add("https://example.com")[0].code == "same"
    assert store.add("https://example.com")[0].code == "other"


def test_no_visit_is_lost_when_many_come_at_once():
    store = LinkStore(capacity=1)
    store.add("https://example.com", "busy")
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(store.follow, ["busy"] * 500))
    assert store.get("busy").hits == 500
