"""Measures the host memory that `generate -n 2` takes with a large model in several files.

Usage: `PYTHONPATH=tests python -m measure.load_memory FOLDER [--shape NAME] [--adapter TEXT]`.

A model of random bfloat16 weights (2.5 GB for the shape of Llama 3.2 1B), in shards of at most 1 GB and with a
tokenizer of as many tokens, is written to a new folder FOLDER, which stays until you delete it; an existing one is used
again.

The process is sampled every 2 ms: RssAnon and RssShmem are its own memory, RssFile the pages of files that it has
mapped, the libraries included. A software adapter keeps its "GPU" memory in the process: there, the bytes of weights
uploaded by then are subtracted, and nothing else of what it allocates: staging while loading, and afterwards the KV
cache and the activations. Samples are left out while a new texture is being cleared, up to its first slab.
"""

from __future__ import annotations

import argparse
import itertools
import json
import mmap
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tokenizers
from safetensors.numpy import save_file
from tokenizers import decoders, models, pre_tokenizers

from compute.models.architectures import describe, known_shapes
from compute.models.config import ModelConfig
from compute.weights.hugging_face import WEIGHTS_INDEX, stored_names, stored_shape
from compute.weights.hugging_face_config import config_json
from compute.weights.random_model import RandomModel

DRIVER = Path(__file__).with_name("load_memory_driver.py")
_SHARD_BYTES = 1 << 30
_INTERVAL_S = 0.002
_MEGABYTE = 1e6
_KINDS = ("RssAnon", "RssShmem", "RssFile")


def write_model(folder: Path, config: ModelConfig) -> None:
    """Write the config, a tokenizer, and random weights in shards, of which one is in memory at a time."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config_json(config, "bf16")))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    _tokenizer(config.vocabulary).save(str(folder / "tokenizer.json"))
    source, weights, names = RandomModel(config, dtype="bf16"), describe(config).weights, stored_names(config, "model.")
    shards: list[list[str]] = [[]]
    size = 0
    for name, weight in weights.items():
        nbytes = 2 * weight.count
        if size and size + nbytes > _SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += nbytes
    where: dict[str, str] = {}
    for number, members in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {names[name]: source.tensor(name).reshape(stored_shape(weights[name])) for name in members}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(tensors, file)
        for name in members:
            source.release(name)
    source.close()
    (folder / WEIGHTS_INDEX).write_text(json.dumps({"weight_map": where}))


def _tokenizer(vocabulary: int) -> tokenizers.Tokenizer:
    """Byte-level BPE with that many tokens: bytes, pairs of them, and pairs with one more."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = itertools.product(letters, letters)
    triples = (("".join(pair), letter) for pair in itertools.product(letters, letters) for letter in letters)
    merges = list(itertools.islice(itertools.chain(pairs, triples), vocabulary - len(letters) - 1))
    tokens = [*letters, *("".join(pair) for pair in merges)]
    library = tokenizers.Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens(["<|end|>"])
    return library


def sample(process: int) -> dict[str, int]:
    """Bytes of resident memory of a process by kind; empty when it has ended."""
    found = {}
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in _KINDS:
            found[name] = 1024 * int(value.split()[0])
    return found


def measure(folder: Path, adapter: str | None) -> tuple[dict[str, float], dict[str, float]]:
    """The samples with the most host memory, in bytes, with what was subtracted: while loading, and afterwards."""
    arguments = ["generate", "hi", "-n", "2", "--model", str(folder), *(["--adapter", adapter] if adapter else [])]
    most: tuple[dict[str, float], dict[str, float]] = ({"host": 0}, {"host": 0})
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(16))
        file.flush()
        process = subprocess.Popen([sys.executable, str(DRIVER), file.name, *arguments])
        with mmap.mmap(file.fileno(), 16) as shared:
            while process.poll() is None:
                weights, loaded = struct.unpack("<2q", shared[:])  # before the sample: no more than is in it
                found = sample(process.pid)
                if weights >= 0 and len(found) == len(_KINDS):  # it has not ended
                    host = sum(found.values()) - weights
                    if host > most[loaded]["host"]:
                        most[loaded].update({"host": host, "uploaded weights": weights, **found})
                time.sleep(_INTERVAL_S)
    if process.returncode:
        raise SystemExit(f"generate failed with exit status {process.returncode}")
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=known_shapes(), default="llama-3.2-1b")
    parser.add_argument("--adapter")
    arguments = parser.parse_args()
    config = known_shapes()[arguments.shape]
    if not arguments.folder.exists():
        write_model(arguments.folder, config)
    sizes = [2 * weight.count for weight in describe(config).weights.values()]
    print(f"{sum(sizes) / _MEGABYTE:,.0f} MB of weights, the largest tensor {max(sizes) / _MEGABYTE:,.0f} MB")
    for phase, most in zip(("while loading", "afterwards"), measure(arguments.folder, arguments.adapter), strict=True):
        parts = ", ".join(f"{name} {value / _MEGABYTE:,.0f}" for name, value in most.items())
        print(f"{phase}, at the peak, in MB: {parts}")


if __name__ == "__main__":
    main()
