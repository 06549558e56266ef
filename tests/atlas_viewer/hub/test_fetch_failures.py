"""Fetching from a hub that misbehaves: what is not whole is never where a model is looked for, and a line says why."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest

from atlas_viewer.hub import fetch as fetch_module
from atlas_viewer.hub import hub as hub_module
from atlas_viewer.hub.fetch import fetch
from atlas_viewer.hub.hub import look_up
from atlas_viewer.hub.store import state

from helpers.fetch_cases import (
    CONFIG,
    ENTRY,
    KEY,
    REPO,
    WEIGHTS,
    empty_cache,
    large_requests,
    message_of,
    names,
    small_entry,
    small_hub,
)
from helpers.hub_server import COMMIT, HubServer, hub_server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_cache(tmp_path / "cache", monkeypatch)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with small_hub(monkeypatch) as server:
        yield server


@pytest.mark.parametrize("length", [49_999, 60_000])
def test_another_size_than_told_is_thrown_away(hub: HubServer, cache: Path, length: int) -> None:
    hub.sent[KEY] = (WEIGHTS * 2)[:length]
    message = message_of(fetch, look_up(ENTRY))
    assert "model.safetensors: arrived with another size than 50000 bytes and is thrown away" in message
    assert names(cache) == [".partial"]
    hub.sent = {}
    assert (fetch(look_up(ENTRY)) / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("key", [KEY, f"{REPO}/config.json"])
def test_another_content_than_told_is_thrown_away(hub: HubServer, cache: Path, key: str) -> None:
    right = hub.files[key]
    hub.sent[key] = b"\0" * len(right)
    message = message_of(fetch, look_up(ENTRY))
    assert key.removeprefix(f"{REPO}/") in message
    assert "thrown away, fetch again" in message
    assert state("gpt2") == "absent"
    hub.sent = {}
    assert (fetch(look_up(ENTRY)) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_file_that_is_not_the_known_one_is_not_even_begun(hub: HubServer, cache: Path) -> None:
    assert "has 50000 bytes, it must be 50001; nothing was fetched" in message_of(look_up, small_entry(size=50_001))
    assert "has another file (SHA-256" in message_of(look_up, small_entry(sha256="0" * 64))
    assert look_up(small_entry(size=50_000, sha256=hashlib.sha256(WEIGHTS).hexdigest())).size == 50_022
    hub.commit = "d" * 40
    hub.told = {"X-Repo-Commit": "e" * 40}
    moved = small_entry(revision="d" * 40)
    assert f"the hub has revision {'e' * 40}, {'d' * 40} was asked for" in message_of(look_up, moved)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"files": {f"{REPO}/config.json": CONFIG}}, "model.safetensors: the hub has no such file"),
        ({"files": {}}, "config.json: the hub has no such repository"),
        ({"commit": "d" * 40}, "config.json: the hub has not this revision any more"),
        ({"status": 503}, "config.json: the hub answers with status 503; fetch again later"),
        ({"status": 401}, "config.json: the hub answers with status 401"),
        ({"told": {"ETag": ""}}, "the answer is not the hub's"),
        ({"told": {"ETag": '"../../x"'}}, "the answer is not the hub's"),
        ({"told": {"X-Repo-Commit": ""}}, "the answer is not the hub's"),
    ],
)
def test_answers_that_are_no_file(hub: HubServer, cache: Path, change: dict[str, object], expected: str) -> None:
    for name, value in change.items():
        setattr(hub, name, value)
    assert expected in message_of(look_up, ENTRY)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("", "config.json: the hub sends from address to address for ever; check HF_ENDPOINT and the proxy"),
        ("/there", "config.json: the hub sends from address to address for ever"),
        ("http://[", "config.json: the hub names no usable address (Invalid IPv6 URL); check HF_ENDPOINT"),
        ("file:///etc/passwd", "config.json: the answer is not the hub's"),
    ],
)
def test_redirects_that_lead_nowhere(hub: HubServer, cache: Path, location: str, expected: str) -> None:
    hub.status, hub.location = 302, location
    assert expected in message_of(look_up, ENTRY)
    assert not cache.exists()


def test_redirects_that_lead_nowhere_during_a_transfer(hub: HubServer) -> None:
    offer = look_up(ENTRY)
    hub.status, hub.location = 302, "/there"
    assert "config.json: the hub sends from address to address for ever" in message_of(fetch, offer)


def test_a_file_that_is_gone_after_it_was_offered(hub: HubServer) -> None:
    offer = look_up(ENTRY)
    hub.status = 404
    assert "config.json: the hub answers with status 404" in message_of(fetch, offer)


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
    assert "the connection fails" in message_of(look_up, ENTRY)
    monkeypatch.setenv("HF_ENDPOINT", "nonsense://\n")
    assert "fetch again" in message_of(look_up, ENTRY)


def test_offline_nothing_is_asked(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set, nothing is fetched" in message_of(look_up, ENTRY)
    assert hub.log == []


def test_space_is_checked_before(hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=40_000)

    monkeypatch.setattr(fetch_module.shutil, "disk_usage", usage)
    offer = look_up(ENTRY)
    hub.log = []
    assert "gpt2 needs 0 MB, its disk has 0 MB free; make room" in message_of(fetch, offer)
    assert hub.log == []
    assert asked[0].exists()
    # What is here already needs no space: the rest fits.
    part = cache / ".partial" / f"gpt2-{COMMIT[:12]}" / f"model.safetensors.{offer.files[1].etag[:16]}.part"
    part.write_bytes(WEIGHTS[:20_000])
    assert (fetch(offer) / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub) == ["bytes=20000-"]


def test_a_disk_that_fills_up(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = look_up(ENTRY)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub_module, "http_get", full)
    assert "config.json: the disk is full; free some space, then fetch again to go on" in message_of(fetch, offer)
    assert state("gpt2") == "absent"


def test_a_cache_that_cannot_be_written(hub: HubServer, cache: Path) -> None:
    offer = look_up(ENTRY)
    cache.parent.mkdir()
    cache.write_text("a file")
    assert "cannot be written" in message_of(fetch, offer)


def test_two_at_once(hub: HubServer, cache: Path) -> None:
    offer = look_up(ENTRY)
    inner: list[str] = []

    def told(done: int, _total: int) -> None:
        if not inner:
            inner.append(message_of(fetch, offer))

    folder = fetch(offer, told)
    assert inner == ["gpt2: is being fetched already; wait for that"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
