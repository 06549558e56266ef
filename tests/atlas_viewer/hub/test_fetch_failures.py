"""Downloads from a hub that misbehaves: no incomplete model is left in place, and one line gives the reason."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest

from atlas_viewer.hub import download as download_module
from atlas_viewer.hub.fetch import fetch
from atlas_viewer.hub.look_up import look_up
from atlas_viewer.hub.store import state

from helpers.fetch_cases import (
    CONFIG,
    ENTRY,
    KEY,
    REPO,
    WEIGHTS,
    large_requests,
    message_of,
    names,
    small_entry,
)
from helpers.hub_server import COMMIT, HubServer, hub_server


@pytest.mark.parametrize("length", [49_999, 60_000])
def test_a_wrong_size_is_discarded(hub: HubServer, cache: Path, length: int) -> None:
    hub.sent[KEY] = (WEIGHTS * 2)[:length]
    message = message_of(fetch, look_up(ENTRY))
    assert "model.safetensors: the download does not have 50000 bytes and was discarded" in message
    assert names(cache) == [".partial"]
    hub.sent = {}
    assert (fetch(look_up(ENTRY)) / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("key", [KEY, f"{REPO}/config.json"])
def test_wrong_content_is_discarded(hub: HubServer, cache: Path, key: str) -> None:
    right = hub.files[key]
    hub.sent[key] = b"\0" * len(right)
    message = message_of(fetch, look_up(ENTRY))
    assert key.removeprefix(f"{REPO}/") in message
    assert "was discarded, so fetch again" in message
    assert state("gpt2") == "absent"
    hub.sent = {}
    assert (fetch(look_up(ENTRY)) / "model.safetensors").read_bytes() == WEIGHTS


def test_an_unknown_file_is_not_downloaded(hub: HubServer, cache: Path) -> None:
    assert "has 50000 bytes instead of 50001; nothing was fetched" in message_of(look_up, small_entry(size=50_001))
    assert "the file on the hub has changed (SHA-256" in message_of(look_up, small_entry(sha256="0" * 64))
    assert look_up(small_entry(size=50_000, sha256=hashlib.sha256(WEIGHTS).hexdigest())).size == 50_022
    hub.commit = "d" * 40
    hub.told = {"X-Repo-Commit": "e" * 40}
    moved = small_entry(revision="d" * 40)
    assert f"the hub sent revision {'e' * 40} instead of {'d' * 40}" in message_of(look_up, moved)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"files": {f"{REPO}/config.json": CONFIG}}, "model.safetensors: the hub has no such file"),
        ({"files": {}}, "config.json: the hub has no such repository"),
        ({"commit": "d" * 40}, "config.json: the hub no longer has this revision"),
        ({"status": 503}, "config.json: the hub answered with status 503; fetch again later"),
        ({"status": 401}, "config.json: the hub answered with status 401"),
        ({"told": {"ETag": ""}}, "the answer does not come from a hub"),
        ({"told": {"ETag": '"../../x"'}}, "the answer does not come from a hub"),
        ({"told": {"X-Repo-Commit": ""}}, "the answer does not come from a hub"),
    ],
)
def test_answers_without_a_file(hub: HubServer, cache: Path, change: dict[str, object], expected: str) -> None:
    for name, value in change.items():
        setattr(hub, name, value)
    assert expected in message_of(look_up, ENTRY)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("", "config.json: the hub redirects endlessly; check HF_ENDPOINT and the proxy"),
        ("/there", "config.json: the hub redirects endlessly"),
        ("http://[", "config.json: the hub's address is not usable (Invalid IPv6 URL); check HF_ENDPOINT"),
        ("file:///etc/passwd", "config.json: the answer does not come from a hub"),
    ],
)
def test_redirects_that_lead_nowhere(hub: HubServer, cache: Path, location: str, expected: str) -> None:
    hub.status, hub.location = 302, location
    assert expected in message_of(look_up, ENTRY)
    assert not cache.exists()


def test_redirects_that_lead_nowhere_during_a_transfer(hub: HubServer) -> None:
    offer = look_up(ENTRY)
    hub.status, hub.location = 302, "/there"
    assert "config.json: the hub redirects endlessly" in message_of(fetch, offer)


def test_a_file_that_disappears_after_the_offer(hub: HubServer) -> None:
    offer = look_up(ENTRY)
    hub.status = 404
    assert "config.json: the hub answered with status 404" in message_of(fetch, offer)


def test_no_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
    assert "the connection failed" in message_of(look_up, ENTRY)
    monkeypatch.setenv("HF_ENDPOINT", "nonsense://\n")
    assert "fetch again" in message_of(look_up, ENTRY)


def test_offline_mode_sends_no_request(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set, so nothing is fetched" in message_of(look_up, ENTRY)
    assert hub.log == []


def test_disk_space_is_checked_first(hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queried: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        queried.append(path)
        return SimpleNamespace(free=40_000)

    monkeypatch.setattr("atlas_viewer.hub.fetch.shutil.disk_usage", usage)
    offer = look_up(ENTRY)
    hub.log = []
    assert "gpt2 needs 0 MB, but its disk has only 0 MB free; free some space" in message_of(fetch, offer)
    assert hub.log == []
    assert queried[0].exists()
    # The part already downloaded needs no more space: the rest fits.
    part = cache / ".partial" / f"gpt2-{COMMIT[:12]}" / f"model.safetensors.{offer.files[1].etag[:16]}.part"
    part.write_bytes(WEIGHTS[:20_000])
    assert (fetch(offer) / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub) == ["bytes=20000-"]


def test_a_disk_that_fills_up(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = look_up(ENTRY)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module, "http_get", full)
    assert "config.json: the disk is full; free some space, then fetch again to resume" in message_of(fetch, offer)
    assert state("gpt2") == "absent"


def test_a_cache_that_cannot_be_written(hub: HubServer, cache: Path) -> None:
    offer = look_up(ENTRY)
    cache.parent.mkdir()
    cache.write_text("a file")
    assert "cannot be written" in message_of(fetch, offer)


def test_two_at_once(hub: HubServer, cache: Path) -> None:
    offer = look_up(ENTRY)
    inner: list[str] = []

    def report(done: int, _total: int) -> None:
        if not inner:
            inner.append(message_of(fetch, offer))

    folder = fetch(offer, report)
    assert inner == ["gpt2: is already being fetched; wait until that has finished"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
