"""Downloads by the hub's real client from a loopback server: they arrive complete, and resume when interrupted."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from atlas_viewer.hub.catalogue import CATALOGUE, CatalogueEntry, CatalogueFile
from atlas_viewer.hub.fetch import fetch, free_bytes, missing_bytes
from atlas_viewer.hub.look_up import look_up
from atlas_viewer.hub.store import damage, read_note, state
from compute.errors import FetchError
from compute.weights import model_cache
from compute.weights.model_cache import FETCHABLE, models_folder

from helpers.fetch_cases import CONFIG, ENTRY, REPO, WEIGHTS, large_requests, message_of, names
from helpers.hub_server import COMMIT, HubServer
from helpers.patience import PATIENCE_S


def test_a_model_arrives_complete(hub: HubServer, cache: Path) -> None:
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


def test_the_newest_revision_is_pinned_by_the_first_answer(hub: HubServer, cache: Path) -> None:
    hub.files = {f"datasets/{REPO}/{name}": WEIGHTS for name in ("a.bin", "b.bin")}
    files = (CatalogueFile("a.bin", sha256=hashlib.sha256(WEIGHTS).hexdigest()), CatalogueFile("b.bin"))
    offer = look_up(CatalogueEntry("gpt2-llmc", "", "MIT", REPO, None, files, kind="dataset"))
    assert offer.revision == COMMIT
    assert [path for _, path, _ in hub.log] == [
        f"/datasets/{REPO}/resolve/main/a.bin", f"/datasets/{REPO}/resolve/{COMMIT}/b.bin",
    ]  # fmt: skip
    fetch(offer)
    assert model_cache.fetched_model("gpt2-llmc") == cache / "gpt2-llmc" / "a.bin"


def test_a_broken_connection_is_resumed(hub: HubServer) -> None:
    hub.cuts = [20_000, 7_000]
    folder = fetch(look_up(ENTRY))
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub) == ["", "bytes=20000-", "bytes=27000-"]


def test_the_next_call_resumes(hub: HubServer, cache: Path) -> None:
    hub.cuts = [20_000, 0, 0, 0, 0, 0, 0]
    message = message_of(fetch, look_up(ENTRY))
    assert "model.safetensors: the connection failed" in message
    assert "fetch again to resume" in message
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


def test_stopping_keeps_the_part_downloaded(hub: HubServer) -> None:
    stop = threading.Event()

    def report(done: int, _total: int) -> None:
        if done > 20_000:
            stop.set()

    offer = look_up(ENTRY)
    assert "model.safetensors: stopped; what has been downloaded is kept" in message_of(fetch, offer, report, stop)
    assert 0 < missing_bytes(offer) < 30_100
    assert state("gpt2") == "absent"
    assert (fetch(offer) / "model.safetensors").read_bytes() == WEIGHTS
    assert large_requests(hub)[1].startswith("bytes=2")


def test_fetching_in_its_own_thread(hub: HubServer) -> None:
    """As the window does it: another thread watches two numbers and can stop it."""
    offer = look_up(ENTRY)
    started, go_on, stop = threading.Event(), threading.Event(), threading.Event()
    ends: list[object] = []

    def report(done: int, _total: int) -> None:
        if done > 10_000:
            started.set()
            assert go_on.wait(PATIENCE_S)

    def work() -> None:
        try:
            ends.append(fetch(offer, report, stop))
        except FetchError as error:
            ends.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(PATIENCE_S)
    stop.set()
    go_on.set()
    thread.join(PATIENCE_S)
    assert [str(end) for end in ends] == [
        "model.safetensors: stopped; what has been downloaded is kept, so fetch again to resume"
    ]
    stop.clear()
    work()
    assert ends[1] == models_folder() / "gpt2"
    assert state("gpt2") == "fetched"


def test_a_damaged_model_is_replaced(hub: HubServer) -> None:
    folder = fetch(look_up(ENTRY))
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert state("gpt2") == "damaged"
    assert "has 50001 bytes instead of 50000" in damage("gpt2")[0]
    fetch(look_up(ENTRY))
    assert state("gpt2") == "fetched"
    data = bytearray(WEIGHTS)
    data[77] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert "SHA-256 differs" in damage("gpt2")[0]
    (folder / "config.json").unlink()
    assert state("gpt2") == "damaged"
    assert "config.json: is missing" in damage("gpt2")[0]
    (folder / "fetched.json").write_text("[]")
    assert state("gpt2") == "damaged"
    assert "fetched.json: cannot be read" in damage("gpt2")[0]


def test_the_catalogue_is_complete() -> None:
    assert tuple(CATALOGUE) == FETCHABLE
    for entry in CATALOGUE.values():
        assert entry.licence
        assert entry.revision is None or len(entry.revision) == 40
        assert all(file.sha256 is None or len(file.sha256) == 64 for file in entry.files)
        # Without a revision, a hash must pin the content.
        assert entry.revision or all(file.sha256 for file in entry.files)
    sizes = {name: CATALOGUE[name].files[0].size for name in ("gpt2-llmc", "gpt2-llmc-bf16")}
    parameters = 124_475_904  # including the padding rows that llm.c stores
    assert sizes == {"gpt2-llmc": 1024 + 4 * parameters, "gpt2-llmc-bf16": 1024 + 2 * parameters}


def test_an_empty_models_folder(cache: Path) -> None:
    assert free_bytes() > 0
    assert models_folder() == cache
    assert state("gpt2") == "absent"
