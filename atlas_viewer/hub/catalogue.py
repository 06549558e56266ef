"""The models that can be fetched: repositories on the Hugging Face hub at pinned revisions, with known file hashes."""

from __future__ import annotations

from dataclasses import dataclass

from compute.errors import UsageError
from compute.io.escape import one_line
from compute.weights.model_cache import is_repository


@dataclass(frozen=True)
class CatalogueFile:
    """A file to fetch. If a value is None, the hub's answer is used and the download is checked against it."""

    name: str
    size: int | None = None  # bytes
    sha256: str | None = None


@dataclass(frozen=True)
class CatalogueEntry:
    """A model under the name that `--model` uses. `kind` is the hub's repository type: "model" or "dataset".

    A `revision` of None means the newest; the file's hash then pins the content. Without `files`, those are fetched
    that the hub lists and a model needs. size: about how many bytes they have. gated: the owner wants people to accept
    the license first, and the hub to know who asks.
    """

    name: str
    what: str
    licence: str
    repo: str
    revision: str | None
    files: tuple[CatalogueFile, ...]
    kind: str = "model"
    size: int | None = None
    gated: bool = False


def _hugging_face(
    name: str, what: str, licence: str, repo: str, revision: str, size: int | None = None, sha256: str | None = None
) -> CatalogueEntry:
    weights = CatalogueFile("model.safetensors", size, sha256)
    return CatalogueEntry(name, what, licence, repo, revision, (CatalogueFile("config.json"), weights))


def _listed(name: str, what: str, licence: str, repo: str, megabytes: int, *, gated: bool = False) -> CatalogueEntry:
    return CatalogueEntry(name, what, licence, repo, None, (), size=megabytes * 1_000_000, gated=gated)


def _llmc(name: str, what: str, file: CatalogueFile) -> CatalogueEntry:
    return CatalogueEntry(name, what, "MIT", "karpathy/llmc-starter-pack", None, (file,), kind="dataset")


CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        _hugging_face(
            "gpt2", "GPT-2, 124 million parameters", "MIT", "openai-community/gpt2",
            "607a30d783dfa663caf39e06633721c8d4cfcd7e", 548_105_171,
            "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707",
        ),
        _hugging_face(
            "gpt2-medium", "GPT-2, 355 million parameters", "MIT", "openai-community/gpt2-medium",
            "6dcaa7a952f72f9298047fd5137cd6e4f05f41da", 1_519_984_962,
            "fc5a354a19255ad494f3d71549390baca1ccf61d1d822b9408971705c687c9cd",
        ),
        _hugging_face(
            "gpt2-large", "GPT-2, 774 million parameters", "MIT", "openai-community/gpt2-large",
            "32b71b12589c2f8d625668d2335a01cac3249519",
        ),
        _hugging_face(
            "gpt2-xl", "GPT-2, 1.5 billion parameters", "MIT", "openai-community/gpt2-xl",
            "15ea56dee5df4983c59b2538573817e1667135e2", None,
            "0f8b28eb05a8075f48b61b6f35332978c74fc7763fa9fb4051a1c30511736a6a",
        ),
        _hugging_face(
            "distilgpt2", "GPT-2 distilled to 6 layers, 82 million parameters", "Apache-2.0", "distilbert/distilgpt2",
            "2290a62682d06624634c1f46a6ad5be0f47f38aa", 352_824_413,
            "e1ff18884359fe8beb795a5f414feb85a6ce3d929ad019c0d958c039d2b94a1b",
        ),
        _llmc(
            "gpt2-llmc", "GPT-2, 124 million parameters, llm.c version 3 (fp32)",
            CatalogueFile(
                "gpt2_124M.bin", 497_904_640, "3da8b207584030bcdcd207cf7a99952e3421dce92da218b351071857511bf162"
            ),
        ),
        _llmc(
            "gpt2-llmc-bf16", "GPT-2, 124 million parameters, llm.c version 5 (bfloat16)",
            CatalogueFile(
                "gpt2_124M_bf16.bin", 248_952_832, "6661f45628102b4c6e86835d9057b5ba2c024dbf9b81445175e258b7878a1a6f"
            ),
        ),
        _listed("smollm2-135m", "SmolLM2, 135 million parameters", "Apache-2.0", "HuggingFaceTB/SmolLM2-135M", 271),
        _listed(
            "smollm2-135m-instruct", "SmolLM2 for chats, 135 million parameters", "Apache-2.0",
            "HuggingFaceTB/SmolLM2-135M-Instruct", 271,
        ),
        _listed("qwen3-0.6b", "Qwen 3 for chats, 0.6 billion parameters", "Apache-2.0", "Qwen/Qwen3-0.6B", 1515),
        _listed(
            "llama-3.2-1b", "Llama 3.2, 1.2 billion parameters", "Llama 3.2", "meta-llama/Llama-3.2-1B", 2481,
            gated=True,
        ),
        _listed(
            "gemma-3-270m", "Gemma 3, 270 million parameters", "Gemma", "google/gemma-3-270m", 570, gated=True
        ),
        _listed("pythia-70m", "Pythia, 70 million parameters", "Apache-2.0", "EleutherAI/pythia-70m", 168),
        _listed("pythia-160m", "Pythia, 162 million parameters", "Apache-2.0", "EleutherAI/pythia-160m", 377),
        _listed("pythia-410m", "Pythia, 405 million parameters", "Apache-2.0", "EleutherAI/pythia-410m", 914),
    )
}  # fmt: skip
"""Entries by name, in the order of `compute.weights.model_cache.FETCHABLE`."""


def entry_of(name: str) -> CatalogueEntry:
    """The entry of that name, or one for the repository `owner/name`. Raises `UsageError` for other names."""
    if name in CATALOGUE:
        return CATALOGUE[name]
    if not is_repository(name):
        raise UsageError(
            f"{one_line(name)}: no model with this name can be fetched; choose one of {', '.join(CATALOGUE)}, or give"
            " owner/name of a repository on the Hugging Face hub"
        )
    return CatalogueEntry(name, "a repository on the hub", "see its page", name, None, ())
