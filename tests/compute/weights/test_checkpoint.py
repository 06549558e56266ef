"""Checkpoints: reading returns what was written, without copies, and every broken file is reported in one line."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from compute.errors import CheckpointError, OutputError
from compute.models.architectures import parameter_count, parameter_shapes
from compute.models.config import GPT2_SIZES, ModelConfig
from compute.weights.checkpoint import ArrayModel, open_model
from compute.weights.llmc import open_llmc, write_llmc
from compute.weights.random_model import RandomModel

from helpers.make_models import ODD_SHAPES, TINY, broken_checkpoint, tiny_checkpoint, tiny_model
from helpers.resident import resident_kb


@pytest.mark.parametrize("config", ODD_SHAPES)
@pytest.mark.parametrize("version", [3, 5])
def test_reading_returns_what_was_written(tmp_path: Path, config: ModelConfig, version: int) -> None:
    written = tiny_model(config)
    model = open_llmc(tiny_checkpoint(tmp_path / "m.bin", config, version))
    dtype = np.float32 if version == 3 else ml_dtypes.bfloat16
    assert model.config == config
    assert model.dtype == {3: "f32", 5: "bf16"}[version]
    assert model.name == "m.bin"
    for name, shape in parameter_shapes(config).items():
        tensor = model.tensor(name)
        assert tensor.dtype == dtype
        assert tensor.shape == shape
        assert tensor.tobytes() == written.tensor(name).astype(dtype).tobytes(), name


def test_layers_are_stacked_by_parameter(tmp_path: Path) -> None:
    """One offset computed by hand: wte, wpe, then ln_1.weight of both layers, then ln_1.bias of layer 0."""
    path = tiny_checkpoint(tmp_path / "m.bin")
    offset = 256 + 24 * 12 + 9 * 12 + 2 * 12 + 12
    stored = np.fromfile(path, "<f4")[offset : offset + 12]
    assert np.array_equal(stored, open_llmc(path).tensor("h.1.ln_1.bias"))
    assert np.array_equal(stored, tiny_model().tensor("h.1.ln_1.bias"))


def test_the_embedded_model() -> None:
    model = open_model("stories")
    assert (model.name, model.dtype) == ("stories", "bf16")
    assert model.config == ModelConfig(8, 6, 192, 512, 50257, 50304)
    # The first values of a token's embedding, as an independent program printed them to 5 digits.
    assert np.allclose(model.tensor("wte")[7454, :2].astype(float), (-0.08154, -0.14453), atol=5e-6)


def test_a_version_3_copy_of_the_embedded_model_has_the_same_values(tmp_path: Path) -> None:
    source = open_model("stories")
    write_llmc(tmp_path / "copy.bin", source.config, source.tensor, 3)
    copy = open_llmc(tmp_path / "copy.bin")
    for name in ("wte", "h.3.attn.c_attn.weight", "ln_f.bias"):
        assert np.array_equal(copy.tensor(name), source.tensor(name).astype(np.float32))


def test_tensors_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    model = open_llmc(tiny_checkpoint(tmp_path / "m.bin"))
    tensor = model.tensor("h.1.mlp.c_fc.weight")
    assert not tensor.flags.owndata
    assert not tensor.flags.writeable


def test_a_view_survives_close_and_a_closed_model_raises(tmp_path: Path) -> None:
    model = open_llmc(tiny_checkpoint(tmp_path / "m.bin"))
    view = model.tensor("wte")
    model.close()
    model.close()
    model.release("wte")
    assert np.array_equal(view, tiny_model().tensor("wte"))
    with pytest.raises(ValueError, match="closed"):
        model.tensor("wpe")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/smaps")
def test_a_released_tensor_leaves_memory(tmp_path: Path) -> None:
    config = ModelConfig(layers=2, heads=4, channels=256, positions=64, vocabulary=1000, padded_vocabulary=1024)
    path = tmp_path / "m.bin"
    source = RandomModel(config)
    write_llmc(path, config, source.tensor)
    model = open_llmc(path)
    sums = {}
    largest = 0
    for name in parameter_shapes(config):
        sums[name] = model.tensor(name).sum()
        model.release(name)
        largest = max(largest, resident_kb(path))
    assert path.stat().st_size > 7_000_000
    # Linux also maps the neighbors of a page that is read, so a few pages may stay.
    assert largest < 1024
    assert sums == {name: source.tensor(name).sum() for name in sums}, (
        "a released tensor has the same values when it is read again"
    )


def test_a_tensor_of_the_wrong_shape_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wte: shape"):
        write_llmc(tmp_path / "m.bin", TINY, lambda _: np.zeros(3, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "m.bin")
    before = path.read_bytes()

    def disk_full(name: str) -> np.ndarray:
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"m\.bin: cannot be written \(No space left on device\)"):
        write_llmc(path, TINY, disk_full)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="cannot be written"):
        tiny_checkpoint(tmp_path / "none" / "m.bin")


def message_of(spec: Path | str) -> str:
    """The one-line error message for `spec`."""
    with pytest.raises(CheckpointError) as caught:
        open_model(str(spec))
    message = str(caught.value)
    assert "\n" not in message
    assert message.isprintable()
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"magic": 7}, "not an llm.c checkpoint (magic 7, not 20240326)"),
        ({"magic": 20240328}, "is an llm.c tokenizer"),
        ({"version": 1}, "version 1 is not supported; use a file of version 3 (fp32) or 5 (bf16)"),
        ({"version": -3}, "version -3 is not supported"),
        ({"positions": 0}, "positions 0, must be at least 1"),
        ({"vocabulary": 0}, "vocabulary 0, must be at least 1"),
        ({"layers": -1}, "layers -1, must be at least 1"),
        ({"heads": 0}, "heads 0, must be at least 1"),
        ({"channels": 0}, "channels 0, must be at least 1"),
        ({"padded_vocabulary": -5}, "padded vocabulary -5, must be at least 1"),
        ({"heads": 5}, "channels 12 are not divisible by heads 5"),
        ({"channels": 14, "heads": 2}, "channels 14 are not a multiple of 4"),
        ({"channels": 100, "heads": 4}, "head size 25 (channels / heads) is not a multiple of 4"),
        ({"channels": 1024, "heads": 2}, "head size 512 (channels / heads) is above 256"),
        ({"vocabulary": 25}, "padded vocabulary 24 is below the vocabulary 25"),
        ({"layers": 2**31 - 1}, "bytes of weights, more than any GPU has"),
        ({"channels": 2**31 - 4, "heads": 2**29 - 1}, "bytes of weights, more than any GPU has"),
        ({"layers": 3}, "is truncated"),
        ({"layers": 1}, "extra bytes"),
    ],
)
def test_a_wrong_header_is_reported(tmp_path: Path, header: dict[str, int], expected: str) -> None:
    path = broken_checkpoint(tmp_path / "model.bin", **header)
    message = message_of(path)
    assert expected in message
    assert message.startswith(str(path))


def test_a_missing_byte_and_an_extra_byte(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "m.bin")
    size = path.stat().st_size
    os.truncate(path, size - 1)
    assert f"is truncated, {size - 1} of {size} bytes" in message_of(path)
    os.truncate(path, size + 1)
    assert f"has 1 extra bytes, {size + 1} instead of {size}" in message_of(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"abc", "has 3 bytes, fewer than the 1024 of the header"),
        (np.array([20240326, 3], "<i4").tobytes(), "has 8 bytes, fewer than the 1024 of the header"),
        (b"\x20\0\0\0\0\0\0\0" + b'{"__metadata__":{}}'.ljust(2000), "is a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"GGUF".ljust(2000, b"\0"), "is a GGUF file"),
        (b"PK\x03\x04".ljust(2000, b"\0"), "is a PyTorch or zip archive"),
        (b"<!DOCTYPE html>", "is an HTML or XML page"),
    ],
)
def test_another_kind_of_file_is_reported(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    assert expected in message_of(path)


def test_no_file_a_directory_a_pipe(tmp_path: Path) -> None:
    assert "there is no such file" in message_of(tmp_path / "none.bin")
    assert "is a directory; give the path" in message_of(tmp_path)
    os.mkfifo(tmp_path / "pipe.bin")
    assert "is not a regular file" in message_of(tmp_path / "pipe.bin")
    (tmp_path / "file.bin").write_bytes(b"")
    assert "cannot be read (Not a directory)" in message_of(tmp_path / "file.bin" / "m.bin")


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    assert r"two\nlines.bin" in message_of(tmp_path / "two\nlines.bin")
    assert "cannot be read" in message_of("./null\0.bin")
    assert "cannot be read" in message_of("./" + "long" * 2000)


def test_a_file_without_read_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_checkpoint(tmp_path / "m.bin")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by its mode: the tests may run as root, who may read everything.
    monkeypatch.setattr(Path, "open", refuse)
    assert "may not be read by this user" in message_of(path)


def test_a_failed_mapping_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_checkpoint(tmp_path / "m.bin")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(mmap, "mmap", refuse)
    assert "cannot be read (No such device)" in message_of(path)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", 'model="": is empty'),
        ("gpt2", "has not been fetched; run `atlas-viewer models fetch gpt2`"),
        ("gpt2-xl", "models fetch gpt2-xl"),
        ("random:gpt3", "use one of random:gpt2, random:gpt2-medium"),
        ("storys", "neither a known model nor a file"),
        ("~/model.bin", "there is no such file"),
    ],
)
def test_unknown_names_are_reported(spec: str, expected: str) -> None:
    assert expected in message_of(spec)


def test_a_file_without_a_suffix_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_checkpoint(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert open_model("mine").config == TINY


def test_random_weights_are_the_same_every_time_in_any_order() -> None:
    first, second = RandomModel(TINY, seed=5), RandomModel(TINY, seed=5)
    names = list(parameter_shapes(TINY))
    values = {name: first.tensor(name).copy() for name in names}
    for name in reversed(names):
        assert np.array_equal(second.tensor(name), values[name])
        second.release(name)
        assert np.array_equal(second.tensor(name), values[name])
    assert not np.array_equal(RandomModel(TINY, seed=6).tensor("wpe"), values["wpe"])
    assert not np.array_equal(values["h.0.mlp.c_fc.weight"], values["h.1.mlp.c_fc.weight"])


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_random_weights_generated_ahead_are_the_same(dtype: str) -> None:
    names = list(parameter_shapes(TINY))
    single = {}
    for name in reversed(names):  # never in order, so that nothing is generated ahead
        single[name] = RandomModel(TINY, seed=5, dtype=dtype).tensor(name)
    model = RandomModel(TINY, seed=5, dtype=dtype)
    for _ in range(2):
        for name in names:
            assert model.tensor(name).tobytes() == single[name].tobytes()
            model.release(name)
    model.tensor(names[0])
    model.tensor(names[1])
    assert model.tensor(names[-1]).tobytes() == single[names[-1]].tobytes()  # drops what follows names[1]
    model.close()
    assert model.tensor(names[2]).tobytes() == single[names[2]].tobytes()


def test_random_weights_are_spread_as_in_gpt2() -> None:
    config = ModelConfig(layers=8, heads=4, channels=256, positions=64, vocabulary=1000, padded_vocabulary=1024)
    model = RandomModel(config)
    assert model.tensor("h.0.attn.c_attn.weight").std() == pytest.approx(0.02, rel=0.01)
    assert model.tensor("h.7.mlp.c_proj.weight").std() == pytest.approx(0.02 / 4, rel=0.01)
    assert model.tensor("h.3.ln_2.weight").mean() == pytest.approx(1, abs=0.01)
    assert (model.tensor("h.3.attn.c_proj.bias") != 0).all()
    assert not model.tensor("wte")[1000:].any()
    assert model.tensor("wte")[:1000].all()


@pytest.mark.parametrize(("dtype", "stored"), [("bf16", ml_dtypes.bfloat16), ("f16", np.float16)])
def test_random_weights_in_half_precision_are_the_same_rounded(dtype: str, stored: type) -> None:
    rounded: np.ndarray = RandomModel(TINY).tensor("wte").astype(stored)
    assert RandomModel(TINY, dtype=dtype).tensor("wte").tobytes() == rounded.tobytes()


def test_random_models_of_every_size_open_without_generating_weights() -> None:
    for size, config in GPT2_SIZES.items():
        model = open_model(f"random:{size}")
        assert (model.config, model.dtype, model.path) == (config, "f32", None)
        assert model.tensor("ln_f.bias").shape == (config.channels,)
    # As OpenAI counted it.
    assert parameter_count(GPT2_SIZES["gpt2"]) == 124_439_808


def test_arrays_of_other_names_or_shapes_are_refused() -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(TINY).items()}
    with pytest.raises(ValueError, match="wpe: shape"):
        ArrayModel("a", TINY, arrays | {"wpe": np.zeros((1, 12), np.float32)})
    del arrays["ln_f.bias"]
    with pytest.raises(ValueError, match=r"ln_f\.bias"):
        ArrayModel("a", TINY, arrays)
