"""Configuration: defaults, every value, every mistake."""

import pytest

from shortlinks.config import Config, ConfigError


def test_defaults_suit_a_laptop():
    assert Config.from_env({}) == Config()
    assert Config.from_env({"PORT": "  "}).port == 8080
    assert Config().host == "127.0.0.1"


def test_every_value_can_be_set():
    env = {
        "HOST": "::1",
        "PORT": "9000",
        "THREADS": "2",
        "PUBLIC_URL": "https://go.example/",
        "MAX_LINKS": "10",
        "DRAIN_SECONDS": "0.5",
        "LOG_LEVEL": "debug",
    }
    assert Config.from_env(env) == Config(
        host="::1",
        port=9000,
        threads=2,
        public_url="https://go.example",
        max_links=10,
        drain_seconds=0.5,
        log_level="DEBUG",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "²"),
        ("THREADS", "0"),
        ("MAX_LINKS", "1.5"),
        ("DRAIN_SECONDS", "soon"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "301"),
        ("PUBLIC_URL", "go.example"),
        ("PUBLIC_URL", "https://go.example?x=1"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_named(name, value):
    with pytest.raises(ConfigError, match=f"{name}="):
        Config.from_env({name: value})


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigError, match="PORT=.*; LOG_LEVEL="):
        Config.from_env({"PORT": "x", "LOG_LEVEL": "y"})
