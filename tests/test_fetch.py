"""Fetching with the hub's real client from a server on loopback: what is whole arrives, what is not is gone."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import huggingface_hub.file_download
import numpy as np
import pytest
from hub_server import COMMIT, HubServer, hub_server

from atlas_viewer.models import fetch as fetch_module
from atlas_viewer.models import hub as hub_module
from atlas_viewer.models.catalogue import CATALOGUE, CatalogueEntry, CatalogueFile
from atlas_viewer.models.fetch import fetch, free_bytes, missing_bytes
from atlas_viewer.models.hub import look_up
from atlas_viewer.models.store import damage, read_note, state
from compute import model_cache
from compute.errors import FetchError
from compute.model_cache import FETCHABLE, models_folder

WEIGHTS = np.random.default_rng(0).bytes(50_000)
CONFIG = b'{"model_type": "gpt2"}'
REPO = "someone/small"
ENTRY = CatalogueEntry(
    "gpt2", "a small one", "MIT", REPO, COMMIT, (CatalogueFile("config.json"), CatalogueFile("model.safetensors"))
)
KEY = f"{REPO}/model.safetensors"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, files that come in pieces of 1000 bytes, and retries that do not wait."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(model_cache.platformdirs, "user_cache_dir", lambda *_, **__: str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda _seconds: None)
    return folder / "models"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server(files={f"{REPO}/config.json": CONFIG, KEY: WEIGHTS}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def entry(**weights: object) -> CatalogueEntry:
    """`ENTRY` with something known of its weights."""
    files = (CatalogueFile("config.json"), CatalogueFile("model.safetensors", **weights))  # type: ignore[arg-type]
    return CatalogueEntry("gpt2", "a small one", "MIT", REPO, COMMIT, files)


def message_of(action: object, *arguments: object) -> str:
    with pytest.raises(FetchError) as caught:
        action(*arguments)  # type: ignore[operator]
    message = str(caught.value)
    assert message.isprintable()
    return message


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def large_requests(hub: HubServer) -> list[str]:
    """The ranges that the content of the large file was asked for in."""
    return [wanted for method, path, wanted in hub.log if method == "GET" and path.startswith("/content/")]


# -- it arrives


def test_a_model_arrives_whole(hub: HubServer, cache: Path) -> None:
    offer = look_up(ENTRY)
    assert (offer.revision, offer.size, missing_bytes(offer)) == (COMMIT, 50_022, 50_022)
    assert not cache.exists()
    seen: list[tuple[int, int]] = []
    folder = fetch(offer, lambda done, total: seen.append((done, total)))
    assert folder == cache / "gpt2"
    assert names(folder) == ["config.json", "fetched.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert seen == sorted(seen)
    assert seen[-1] == (50_022, 50_022)
    note = read_note(folder)
    assert note is not None
    assert (note.repo, note.revision, note.licence) == (REPO, COMMIT, "MIT")
    assert [file.sha256 for file in note.files] == [hashlib.sha256(data).hexdigest() for data in (CONFIG, WEIGHTS)]
    assert state("gpt2") == "fetched"
    assert damage("gpt2") == []
    assert model_cache.fetched_model("gpt2") == folder
    assert names(cache / ".partial") == ["gpt2.lock"] or names(cache / ".partial") == []
    assert hub.tokens == set()
    assert all(path.startswith((f"/{REPO}/resolve/{COMMIT}/", f"/content/{REPO}/")) for _, path, _ in hub.log)


def test_the_newest_revision_is_pinned_once_it_is_known(hub: HubServer, cache: Path) -> None:
    hub.files = {f"datasets/{REPO}/{name}": WEIGHTS for name in ("a.bin", "b.bin")}
    files = (CatalogueFile("a.bin", sha256=hashlib.sha256(WEIGHTS).hexdigest()), CatalogueFile("b.bin"))
    offer = look_up(CatalogueEntry("gpt2-llmc", "", "MIT", REPO, None, files, kind="dataset"))
    assert offer.revision == COMMIT
    assert [path for _, path, _ in hub.log] == [
        f"/datasets/{REPO}/resolve/main/a.bin", f"/datasets/{REPO}/resolve/{COMMIT}/b.bin",
    ]  # fmt: skip
    fetch(offer)
    assert model_cache.fetched_model("gpt2-llmc") == cache / "gpt2-llmc" / "a.bin"


def test_a_broken_connection_is_taken_up_again(hub: HubServer) -> None:
    hub.cuts = [20_000, 7_000]
    folder = fetch(look_up(ENTRY))
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub) == ["", "bytes=20000-", "bytes=27000-"]


def test_the_next_call_goes_on_where_the_last_one_ended(hub: HubServer, cache: Path) -> None:
    hub.cuts = [20_000, 0, 0, 0, 0, 0, 0]
    message = message_of(fetch, look_up(ENTRY))
    assert "model.safetensors: the connection fails" in message
    assert "fetch again to go on" in message
    assert state("gpt2") == "absent"
    assert names(cache) == [".partial"]
    hub.cuts, hub.log = [], []
    offer = look_up(ENTRY)
    assert missing_bytes(offer) == 30_000
    seen: list[int] = []
    folder = fetch(offer, lambda done, _total: seen.append(done))
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub) == ["bytes=20000-"]
    assert min(seen) == len(CONFIG)
    assert names(folder) == ["config.json", "fetched.json", "model.safetensors"]


def test_a_server_without_ranges_starts_over(hub: HubServer) -> None:
    hub.cuts, hub.ranges = [20_000], False
    seen: list[int] = []
    folder = fetch(look_up(ENTRY), lambda done, _total: seen.append(done))
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert max(seen) == 50_022


def test_stopping_keeps_what_arrived(hub: HubServer) -> None:
    stop = threading.Event()

    def told(done: int, _total: int) -> None:
        if done > 20_000:
            stop.set()

    offer = look_up(ENTRY)
    assert "model.safetensors: stopped; what arrived is kept" in message_of(fetch, offer, told, stop)
    assert 0 < missing_bytes(offer) < 30_100
    assert state("gpt2") == "absent"
    assert (fetch(offer) / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub)[1].startswith("bytes=2")


def test_a_damaged_model_is_replaced(hub: HubServer) -> None:
    folder = fetch(look_up(ENTRY))
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert state("gpt2") == "damaged"
    assert "has 50001 bytes, 50000 were fetched" in damage("gpt2")[0]
    fetch(look_up(ENTRY))
    assert state("gpt2") == "fetched"
    data = bytearray(WEIGHTS)
    data[77] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert "SHA-256 differs" in damage("gpt2")[0]
    (folder / "config.json").unlink()
    assert state("gpt2") == "damaged"
    assert "config.json: is gone" in damage("gpt2")[0]
    (folder / "fetched.json").write_text("[]")
    assert state("gpt2") == "damaged"
    assert "fetched.json: cannot be read" in damage("gpt2")[0]


# -- what goes wrong


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
    assert "has 50000 bytes, it must be 50001; nothing was fetched" in message_of(look_up, entry(size=50_001))
    assert "has another file (SHA-256" in message_of(look_up, entry(sha256="0" * 64))
    assert look_up(entry(size=50_000, sha256=hashlib.sha256(WEIGHTS).hexdigest())).size == 50_022
    hub.commit = "d" * 40
    hub.told = {"X-Repo-Commit": "e" * 40}
    moved = CatalogueEntry("gpt2", "", "MIT", REPO, "d" * 40, ENTRY.files)
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


# -- what there is


def test_every_name_can_be_fetched_and_every_entry_has_a_name() -> None:
    assert tuple(CATALOGUE) == FETCHABLE
    for found in CATALOGUE.values():
        assert found.licence
        assert found.revision is None or len(found.revision) == 40
        assert all(file.sha256 is None or len(file.sha256) == 64 for file in found.files)
        # What is pinned by no revision must be pinned by its hash.
        assert found.revision or all(file.sha256 for file in found.files)
    sizes = {name: CATALOGUE[name].files[0].size for name in ("gpt2-llmc", "gpt2-llmc-bf16")}
    parameters = 124_475_904  # with the padding rows that llm.c stores
    assert sizes == {"gpt2-llmc": 1024 + 4 * parameters, "gpt2-llmc-bf16": 1024 + 2 * parameters}


def test_where_models_are(cache: Path) -> None:
    assert free_bytes() > 0
    assert models_folder() == cache
    assert state("gpt2") == "absent"
