"""Models of which the hub lists the files: sharded ones, gated ones, and repositories that cannot run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas_viewer.hub.catalogue import CATALOGUE, CatalogueEntry, entry_of
from atlas_viewer.hub.fetch import fetch
from atlas_viewer.hub.list_files import needed
from atlas_viewer.hub.look_up import look_up
from atlas_viewer.hub.store import damage, others, state
from compute.errors import CheckpointError, FetchError, UsageError
from compute.weights.checkpoint import model_path
from compute.weights.model_cache import is_repository

from helpers.fetch_cases import WEIGHTS, message_of, names
from helpers.hub_server import COMMIT, HubServer
from helpers.make_hugging_face import config_values

REPO = "someone/small"
ENTRY = entry_of(REPO)
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"


@pytest.fixture(autouse=True)
def repository(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A sharded model, among files that nobody needs."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    config = json.dumps(config_values()).encode()
    small = {"config.json": config, "tokenizer.json": b"{}", INDEX: b"{}", "README.md": b"hello"}
    shards = {name: WEIGHTS[number:] for number, name in enumerate(SHARDS)}
    files = {**small, **shards, "pytorch_model.bin": WEIGHTS, "onnx/model.onnx": WEIGHTS}
    hub.files = {f"{REPO}/{name}": data for name, data in files.items()}
    return hub


def test_a_sharded_repository_arrives_complete(hub: HubServer, cache: Path) -> None:
    offer = look_up(ENTRY)
    assert [file.name for file in offer.files] == ["config.json", "tokenizer.json", INDEX, *SHARDS]
    assert (offer.revision, offer.entry.licence) == (COMMIT, "apache-2.0")
    folder = fetch(offer)
    assert folder == cache / "someone--small"
    assert names(folder) == sorted(["config.json", "fetched.json", "tokenizer.json", INDEX, *SHARDS])
    assert [note.name for note in others(CATALOGUE)] == [REPO]
    assert (state(REPO), damage(REPO), hub.tokens) == ("fetched", [], set())


def test_its_name_is_that_of_the_model(hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_path(REPO) == Path(REPO)  # not fetched: a path that does not exist
    folder = fetch(look_up(ENTRY))
    assert model_path(REPO) == folder
    monkeypatch.chdir(cache)
    (cache / REPO).mkdir(parents=True)
    assert model_path(REPO) == Path(REPO)  # a path counts before it


def test_a_model_that_cannot_run_is_refused_before_its_weights(hub: HubServer, cache: Path) -> None:
    hub.files[f"{REPO}/config.json"] = b'{"model_type": "t5"}'
    with pytest.raises(CheckpointError, match="is a model of type t5") as caught:
        fetch(look_up(ENTRY))
    assert str(caught.value).isprintable()
    assert not any("model-0" in path for _, path, _ in hub.log)
    assert state(REPO) == "absent"


def test_a_token_is_sent_where_it_is_needed(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.about = {"gated": "manual"}
    message = message_of(look_up, ENTRY)
    assert "someone/small: is gated; accept its license on its page on the hub, then set HF_TOKEN" in message
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    offer = look_up(ENTRY)
    assert "hf_secret" not in repr(offer)
    fetch(offer)
    assert hub.tokens == {"Bearer hf_secret"}
    assert all("hf_secret" not in path for _, path, _ in hub.log)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["model.safetensors"], "has no config.json, so it is not a model"),
        (["config.json", "pytorch_model.bin"], "has no model.safetensors; choose a repository with weights"),
        (["config.json", "a.Q4_0.gguf"], "has GGUF files, which are not fetched"),
        (["config.json", INDEX], "has no model.safetensors"),
    ],
)
def test_a_repository_without_a_usable_model_is_refused(files: list[str], expected: str) -> None:
    with pytest.raises(FetchError, match=expected):
        needed(REPO, files)


def test_a_whole_file_counts_before_shards() -> None:
    assert needed(REPO, ["config.json", "model.safetensors", INDEX, *SHARDS]) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"sha": None}, "the answer does not come from a hub"),
        ({"siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors"}]}, "does not come from a hub"),
        ({"siblings": []}, "has no config.json"),
    ],
)
def test_another_answer_is_refused_in_one_line(hub: HubServer, about: dict[str, object], expected: str) -> None:
    hub.about = about
    assert expected in message_of(look_up, ENTRY)


def test_an_unknown_repository_is_reported() -> None:
    assert "has no such repository; check its name" in message_of(look_up, entry_of("someone/else"))


@pytest.mark.parametrize("name", ["a", "a/b/c", "../b", "a/..", "a/.b", "a--b/c", "-a/b", "a/b\n", "a b/c", "/b", "a/"])
def test_other_names_are_no_repositories(name: str) -> None:
    assert not is_repository(name)
    with pytest.raises(UsageError, match="no model with this name can be fetched") as caught:
        entry_of(name)
    assert str(caught.value).isprintable()


def test_listed_models_say_their_size_and_license() -> None:
    listed = [entry for entry in CATALOGUE.values() if not entry.files]
    assert len(listed) == 8
    assert all(isinstance(entry, CatalogueEntry) and entry.size and is_repository(entry.repo) for entry in listed)
    assert [entry.name for entry in listed if entry.gated] == ["llama-3.2-1b", "gemma-3-270m"]
