"""The HTTP interface, spoken to over a real socket."""

import json
import logging

import pytest


def test_health_and_readiness(client):
    assert client("GET", "/healthz").json == {"status": "ok"}
    assert client("GET", "/readyz").json == {"status": "ready"}
    client.app.ready = False
    assert client("GET", "/readyz").status == 503
    assert client("GET", "/healthz").status == 200


def test_the_front_page_names_the_service(client):
    assert client("GET", "/").json["service"] == "shortlinks"


def test_a_link_is_made_followed_shown_and_removed(client):
    made = client("POST", "/api/links", {"url": "https://example.com/a"})
    assert made.status == 201
    assert made.headers["Location"] == "/api/links/code1"
    assert made.json == {
        "code": "code1",
        "url": "https://example.com/a",
        "short_url": "https://go.example/code1",
        "hits": 0,
    }
    followed = client("GET", "/code1")
    assert (followed.status, followed.body) == (302, b"")
    assert followed.headers["Location"] == "https://example.com/a"
    assert client("GET", "/api/links/code1").json["hits"] == 1
    assert client("DELETE", "/api/links/code1").status == 204
    for method, path in [
        ("GET", "/code1"),
        ("GET", "/api/links/code1"),
        ("DELETE", "/api/links/code1"),
    ]:
        assert client(method, path).status == 404


def test_an_alias_can_be_chosen_once(client):
    wanted = {"url": "https://example.com", "alias": "docs"}
    assert client("POST", "/api/links", wanted).status == 201
    assert client("POST", "/api/links", wanted).status == 200
    other = {"url": "https://example.org", "alias": "docs"}
    assert client("POST", "/api/links", other).status == 409


def test_a_full_store_says_so(client):
    for _ in range(3):
        client("POST", "/api/links", {"url": "https://example.com"})
    answer = client("POST", "/api/links", {"url": "https://example.com"})
    assert answer.status == 507
    assert "remove" in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "JSON"),
        (b"{", 400, "JSON"),
        (b"\xff", 400, "JSON"),
        (b"[" * 8000, 400, "JSON"),
        (b"[]", 400, "object"),
        (b"{}", 422, "'url'"),
        (b'{"url": "ftp://example.com"}', 422, "http://"),
        (b'{"url": "https://example.com", "alias": "x"}', 422, "'alias'"),
        (b'{"url": "https://example.com", "alias": null}', 422, "'alias'"),
        (b" " * 9000, 413, "8192"),
    ],
)
def test_bad_input_is_refused_with_a_reason(client, body, status, words):
    answer = client("POST", "/api/links", body)
    assert answer.status == status
    assert words in answer.json["error"]


def test_unknown_pages_and_methods(client):
    assert client("GET", "/no/such/page").status == 404
    refused = client("PUT", "/api/links/code1", {})
    assert (refused.status, refused.headers["Allow"]) == (405, "DELETE, GET")
    assert client("BREW", "/").status == 405


def test_head_answers_without_a_body(client):
    answer = client("HEAD", "/healthz")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def test_metrics_count_by_route_and_never_by_path(client):
    client("POST", "/api/links", {"url": "https://example.com"})
    client("GET", "/code1")
    client("GET", "/made-up-path/1")
    text = client("GET", "/metrics").body.decode()
    labels = 'method="GET",route="/{code}",status="302"'
    assert f"http_requests_total{{{labels}}} 1.0" in text
    assert 'route="unknown",status="404"' in text
    assert "shortlinks_links 1.0" in text
    assert "http_request_duration_seconds_bucket" in text
    assert "made-up-path" not in text


def test_a_bug_becomes_one_clear_answer_and_a_log_entry(client, store, caplog):
    store.follow = lambda code: 1 / 0
    answer = client("GET", "/code1")
    assert answer.status == 500
    assert answer.json == {"error": "internal error"}
    assert "ZeroDivisionError" in caplog.text


def test_probes_do_not_fill_the_log(client, caplog):
    caplog.set_level(logging.INFO, logger="shortlinks.access")
    client("GET", "/healthz")
    client("GET", "/")
    fields = [record.fields for record in caplog.records if record.msg == "request"]
    assert [entry["route"] for entry in fields] == ["/"]
    assert json.dumps(fields[0])
