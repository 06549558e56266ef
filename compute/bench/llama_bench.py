"""The speed of llama.cpp with the same GGUF file, as its own `llama-bench` measures it."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from compute.errors import AtlasError
from compute.io.escape import one_line
from compute.io.system_errors import reason_of
from compute.io.untrusted_json import read_untrusted_json

_PROGRAM = "llama-bench"
_REPEATS, _QUICK_REPEATS = 5, 2
_LONGEST_S = 600.0  # one call, with all its repeats
_LONGEST_TEXT = 200  # characters of a reason
_ALL_LAYERS = "99"

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Nanoseconds = Annotated[float, msgspec.Meta(gt=0)]


class _Test(msgspec.Struct):
    """One measurement in the output of `llama-bench -o json`; `n_depth` tokens are in the cache before."""

    n_prompt: _Count
    n_gen: _Count
    samples_ns: Annotated[list[_Nanoseconds], msgspec.Meta(min_length=1)]
    n_depth: _Count = 0
    build_commit: str = ""
    build_number: int = 0
    backends: str = ""
    cpu_info: str = ""
    gpu_info: str = ""
    n_threads: _Count = 0
    n_gpu_layers: int = 0

    @property
    def seconds(self) -> float:
        """The median over the repeats."""
        return statistics.median(self.samples_ns) / 1e9


def check_possible(path: Path | None) -> None:
    """Raise `AtlasError` unless `llama-bench` is on the PATH and `path` is a GGUF file."""
    if path is None or path.suffix.lower() != ".gguf":
        raise AtlasError("--compare llama: llama.cpp reads GGUF files only; give one, as in --model F.gguf")
    _program()


def compare(
    path: Path, prefill: Sequence[int], decode: Mapping[int, Mapping[str, Any]], *, quick: bool, software: bool
) -> dict[str, Any]:
    """Prefill of as many tokens as `prefill` lists, and decode at the same contexts as ours. Blocks.

    decode: by context, the counts behind our figure: "first", the tokens before the first timed one, and "tokens".
    software: run on the CPU, as the engine did; otherwise on the GPU, if this llama.cpp can.
    Returns "version", "device", "backends", "threads", and "prefill" (ms), "decode" (tokens/s) and "counts" as `bench`
    has them. Raises `AtlasError`.
    """
    common = ["-m", str(path), "-r", str(_QUICK_REPEATS if quick else _REPEATS)]
    common += ["-ngl", "0" if software else _ALL_LAYERS]
    rows = _prefilled(common, prefill) if prefill else {}
    steps = {context: _decoded(common, counts["tokens"], counts["first"]) for context, counts in decode.items()}
    first = next(iter((*rows.values(), *steps.values())), None)
    if first is None:
        raise AtlasError("--compare llama: this adapter is too slow to compare anything; use a smaller model")
    on_gpu = first.n_gpu_layers > 0 and bool(first.gpu_info)
    return {
        "version": one_line(f"{first.build_number} ({first.build_commit})", _LONGEST_TEXT),
        "device": one_line(first.gpu_info if on_gpu else first.cpu_info, _LONGEST_TEXT),
        "backends": one_line(first.backends, _LONGEST_TEXT),
        "threads": first.n_threads,
        "prefill": {str(size): 1e3 * test.seconds for size, test in rows.items()},
        "decode": {str(context): test.n_gen / test.seconds for context, test in steps.items()},
        "counts": {
            "prefill": {str(size): _counts(test, size) for size, test in rows.items()},
            "decode": {str(context): _counts(test, test.n_gen) for context, test in steps.items()},
        },
    }


def ratios(prefill: Mapping[str, float | None], decode: Mapping[str, float | None], llama: Any) -> dict[str, Any]:
    """How many times as fast this program is as llama.cpp, for what both have measured."""
    return {
        "prefill": {n: llama["prefill"][n] / ms for n, ms in prefill.items() if ms and n in llama["prefill"]},
        "decode": {n: rate / llama["decode"][n] for n, rate in decode.items() if rate and n in llama["decode"]},
    }


def _prefilled(common: Sequence[str], sizes: Sequence[int]) -> dict[int, _Test]:
    ran = _run([*common, "-p", ",".join(map(str, sizes)), "-n", "0"])
    tests = {test.n_prompt: test for test in ran if test.n_gen == 0}
    return {size: _found(tests.get(size), f"a prompt of {size}") for size in sizes}


def _decoded(common: Sequence[str], tokens: int, depth: int) -> _Test:
    ran = _run([*common, "-p", "0", "-n", str(tokens), "-d", str(depth)])
    same = (test for test in ran if (test.n_prompt, test.n_gen, test.n_depth) == (0, tokens, depth))
    return _found(next(same, None), f"{tokens} tokens after {depth}")


def _counts(test: _Test, tokens: int) -> dict[str, int]:
    return {"repeats": len(test.samples_ns), "tokens": tokens}


def _found(test: _Test | None, what: str) -> _Test:
    if test is None:
        raise _failed(f"it did not measure {what}")
    return test


def _run(arguments: Sequence[str]) -> list[_Test]:
    """What `llama-bench` prints with these arguments."""
    command = [_program(), *arguments, "-o", "json"]
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        raise _failed(f"it took more than {_LONGEST_S:.0f} s", "use a smaller model or context") from None
    except OSError as error:
        raise _failed(reason_of(error)) from error
    if ran.returncode != 0:
        lines = [line for line in ran.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        problem = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no message")
        raise _failed(f"exit status {ran.returncode}: {one_line(problem.strip(), _LONGEST_TEXT)}")
    try:
        return msgspec.convert(read_untrusted_json(ran.stdout), list[_Test])
    except (ValueError, msgspec.ValidationError) as error:
        raise _failed(f"its output is not as expected: {one_line(str(error), _LONGEST_TEXT)}") from None


def _program() -> str:
    found = shutil.which(_PROGRAM)
    if found is None:
        raise AtlasError(f"--compare llama: {_PROGRAM} is not on the PATH; install llama.cpp or add its folder to PATH")
    return found


def _failed(reason: str, advice: str = "use a recent llama.cpp that can run this model") -> AtlasError:
    return AtlasError(f"--compare llama: {_PROGRAM} failed ({reason}); {advice}")
