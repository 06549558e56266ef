"""The draw on the GPU: random numbers against published ones; tokens, ranks and candidates against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import wgpu

import wgsl
from compute.gpu.kernels import Kernel
from compute.sampling.options import GenerateOptions
from compute.sampling.random_numbers import gumbel, threefry
from compute.sampling.sampler import MAX_TOP, RING, Sampler, SampleResult, parse_draw
from compute.selftest.draws import END_OF_TEXT, order_of

from helpers.gpu import Gpu

pytestmark = pytest.mark.gpu

SIZES = (1, 7, 16, 17, 1025, 5000)
TOTAL = 3  # tokens in the history before a draw


# -- random numbers


# key, counter and result of Random123's known-answer file kat_vectors, threefry2x32 with 20 rounds.
KNOWN = (
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)


def random_kernel(gpu: Gpu, body: str) -> Kernel:
    source = wgsl.load("sample/common/random") + (
        "@group(0) @binding(0) var<storage, read> inputs: array<u32>;\n"
        "@group(0) @binding(1) var<storage, read_write> outputs: array<u32>;\n"
        "@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) { let i = id.x; " + body + " }"
    )
    return Kernel(gpu.device, "random", source)


def test_threefry_matches_the_published_vectors(gpu: Gpu) -> None:
    inputs = np.array([[*key, *counter] for key, counter, _ in KNOWN], np.uint32)
    outputs = gpu.empty(2 * len(KNOWN))
    body = (
        "let r = threefry(vec2u(inputs[4u * i], inputs[4u * i + 1u]), vec2u(inputs[4u * i + 2u], inputs[4u * i + 3u]));"
        "outputs[2u * i] = r.x; outputs[2u * i + 1u] = r.y;"
    )
    kernel = random_kernel(gpu, body)
    gpu.run(kernel.dispatch((len(KNOWN), 1, 1), {"inputs": gpu.buffer(inputs), "outputs": outputs}))
    assert gpu.read(outputs, len(KNOWN), 2, dtype=np.uint32).tolist() == [list(words) for _, _, words in KNOWN]
    # The reference of the tests below must be right, too.
    for key, counter, words in KNOWN:
        assert threefry(key, np.array([counter[0]]), counter[1]) == words[0]


def test_gumbel_is_exact_at_both_ends(gpu: Gpu) -> None:
    bits = np.array([0, 1, 1000, 4_000_000, 5_000_000, 2**31, 2**32 - 1000, 2**32 - 1], np.uint32)
    outputs = gpu.empty(len(bits))
    kernel = random_kernel(gpu, "outputs[i] = bitcast<u32>(gumbel(inputs[i]));")
    gpu.run(kernel.dispatch((len(bits), 1, 1), {"inputs": gpu.buffer(bits), "outputs": outputs}))
    variates = gpu.read(outputs, len(bits))
    assert np.isfinite(variates).all()
    # Small inputs produce the large variates that decide draws; at the other end float32 has few digits.
    assert np.allclose(variates[:6], gumbel(bits[:6]), rtol=1e-4, atol=1e-5)
    assert np.allclose(variates[6:], gumbel(bits[6:]), atol=0.4)


# -- draws


class Dice:
    """A sampler over a small vocabulary."""

    def __init__(self, gpu: Gpu, vocabulary: int) -> None:
        self.gpu = gpu
        self.state, self.logits = gpu.state(), gpu.empty(vocabulary)
        self.history = gpu.empty(16)
        self.sampler = Sampler(gpu.kernels, vocabulary, self.state, self.logits, self.history)

    def draw(self, logits: np.ndarray, *, step: int = 0, **options: float) -> SampleResult:
        """Draw once. Checks that the token was appended to the history, and that nothing else in it changed."""
        settings = GenerateOptions(**{"temperature": 0.0, "top": 8} | options)  # type: ignore[arg-type]
        queue = self.gpu.device.queue
        queue.write_buffer(self.logits, 0, logits.astype(np.float32).tobytes())
        queue.write_buffer(self.history, 0, np.arange(100, 116, dtype=np.uint32).tobytes())
        copied = self.gpu.device.create_command_encoder()
        fresh = self.gpu.state(total=TOTAL, step=step)
        copied.copy_buffer_to_buffer(fresh, 0, self.state, 0, self.state.size)
        queue.submit([copied.finish()])
        self.sampler.set_options(settings, END_OF_TEXT)
        self.gpu.run(*self.sampler.dispatches(settings.top))
        slot = step % RING * self.sampler.stride
        data = queue.read_buffer(self.sampler.result, slot, self.sampler.result_size(settings.top))
        result = parse_draw(bytes(data), settings.top)
        expected = np.arange(100, 116, dtype=np.uint32)
        if result.any_finite:
            expected[TOTAL] = result.token
        assert self.gpu.read(self.history, 16, dtype=np.uint32).tolist() == expected.tolist()
        return result


@pytest.fixture(scope="module")
def dice(gpu: Gpu) -> dict[int, Dice]:
    return {size: Dice(gpu, size) for size in SIZES}


def test_a_draw_without_candidates_has_no_rank(dice: dict[int, Dice]) -> None:
    """Not the rank of an earlier draw either, which is still in the result."""
    one = dice[min(SIZES)]
    logits = np.linspace(0, 1, min(SIZES))
    assert one.draw(logits, top=4).rank == 1
    assert one.draw(logits, top=0).rank == 0


def entropy(logits: np.ndarray) -> float:
    """Entropy of softmax(logits), in nats."""
    finite = logits[np.isfinite(logits)].astype(np.float64)
    log_share = finite - finite.max() - np.log(np.exp(finite - finite.max()).sum())
    return float(-(np.exp(log_share) * log_share).sum())


def log_sum(x: np.ndarray) -> float:
    x = x[np.isfinite(x)].astype(np.float64)
    return float(x.max() + np.log(np.exp(x - x.max()).sum()))


def check(draw: SampleResult, logits: np.ndarray, top: int, temperature: float = 1.0) -> None:
    """Check everything that a draw reports except the choice itself."""
    logits = logits.astype(np.float32)
    order = order_of(logits)
    assert [token for token, _ in draw.candidates] == order[:top]
    assert [logit for _, logit in draw.candidates] == logits[order[:top]].tolist()
    assert draw.logit == logits[draw.token]
    assert draw.rank == order.index(draw.token) + 1
    assert draw.highest == logits[order[0]]
    assert draw.nonfinite == (~np.isfinite(logits)).sum()
    assert draw.log_total == pytest.approx(log_sum(logits), rel=1e-5, abs=1e-4)
    assert draw.scaled_log_total == pytest.approx(log_sum((logits - draw.highest) / temperature), rel=1e-5, abs=1e-4)
    assert draw.entropy == pytest.approx(entropy(logits), rel=1e-4, abs=1e-4)


def shapes_of_logits(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(size)
    normal = rng.normal(0, 4, size)
    ties = np.round(normal)
    bad = normal.copy()
    bad[rng.permutation(size)[: size // 2]] = np.resize([np.nan, np.inf, -np.inf], size // 2)
    one = np.full(size, np.nan)
    one[size // 2] = -3.0
    return {
        "normal": normal, "ties": ties, "constant": np.full(size, 0.5), "zero": np.zeros(size), "bad": bad, "one": one,
        "rising": np.arange(size) / 8, "falling": -np.arange(size) / 8, "far below": normal - 1000,
    }  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", list(shapes_of_logits(4)))
def test_greedy_draws(dice: dict[int, Dice], size: int, shape: str) -> None:
    logits = shapes_of_logits(size)[shape]
    for top in sorted({1, min(8, size), min(MAX_TOP, size)}):
        draw = dice[size].draw(logits, top=top, step=3)
        assert draw.token == order_of(logits.astype(np.float32))[0]
        assert draw.rank == 1
        assert draw.step == 3
        check(draw, logits, top)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("temperature", [0.1, 0.8, 3.0])
def test_a_draw_follows_from_its_random_numbers(dice: dict[int, Dice], size: int, temperature: float) -> None:
    rng = np.random.default_rng(size)
    certain = 0
    for step in (0, 1, 2, 31, 32, 1_000_000):
        seed = int(rng.integers(2**32))
        logits = rng.normal(0, 3, size).astype(np.float32)
        logits[rng.integers(size) :: 5] = np.nan if size > 5 else 0
        draw = dice[size].draw(logits, step=step, seed=seed, temperature=temperature, top=min(8, size))
        race = np.float64(logits) / temperature + gumbel(threefry((seed, step), np.arange(size), 0))
        order = order_of(race)
        assert draw.step == step
        if size == 1 or race[order[0]] - race[order[1]] > 1e-3:
            certain += 1
            assert draw.token == order[0]
        check(draw, logits, min(8, size), temperature)
    assert certain >= 4


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_without_a_finite_logit_nothing_is_drawn(dice: dict[int, Dice], value: float, temperature: float) -> None:
    draw = dice[17].draw(np.full(17, value), temperature=temperature)
    assert not draw.any_finite
    assert draw.nonfinite == 17
    assert draw.candidates == ()


def test_minus_zero_ties_with_zero(dice: dict[int, Dice]) -> None:
    draw = dice[7].draw(np.array([-1, -0.0, 0.0, -0.0, -2, -3, -4]))
    assert (draw.token, draw.rank) == (1, 1)
    assert [token for token, _ in draw.candidates][:4] == [1, 2, 3, 0]


def test_extreme_logits(dice: dict[int, Dice]) -> None:
    draw = dice[7].draw(np.array([-3.4e38, 3.4e38, 1, 0, -1, 3.3e38, -3.3e38]))
    assert (draw.token, draw.rank) == (1, 1)
    assert draw.model_probability(draw.logit) == pytest.approx(1)
    assert [token for token, _ in draw.candidates] == [1, 5, 2, 3, 4, 6, 0]


@pytest.mark.parametrize("temperature", [1e-3, 1e-6, 1e-9, 1e-30, 1e-45])
def test_a_tiny_temperature_is_equivalent_to_argmax(dice: dict[int, Dice], temperature: float) -> None:
    logits = np.array([5.0, 9.7, 9.0, -2.0, 0.0, 9.4, 1.0])
    draw = dice[7].draw(logits, temperature=temperature)
    assert draw.token == 1
    probabilities = [draw.probability(token, logit, temperature) for token, logit in draw.candidates]
    assert probabilities == pytest.approx([1, 0, 0, 0, 0, 0, 0], abs=1e-6)
    assert all(math.isfinite(p) and 0 <= p <= 1 for p in probabilities)


@pytest.mark.parametrize("temperature", [0.0, 0.05, 0.7, 2.0])
def test_probabilities_are_those_of_the_draw(dice: dict[int, Dice], temperature: float) -> None:
    from compute.selftest import reference

    logits = np.random.default_rng(1).normal(10, 3, 17).astype(np.float32)
    draw = dice[17].draw(logits, temperature=temperature, top=17)
    used = reference.distribution(logits, temperature)
    own = reference.softmax(logits.astype(np.float64))
    for token, logit in draw.candidates:
        assert draw.probability(token, logit, temperature) == pytest.approx(used[token], rel=1e-3, abs=1e-7)
        assert draw.model_probability(logit) == pytest.approx(own[token], rel=1e-4)
        expected = (logit - float(logits.max())) / (temperature or 1)
        assert draw.scaled_delta(logit, temperature) == pytest.approx(expected)


def test_draws_from_the_gpt2_vocabulary(gpu: Gpu, device: wgpu.GPUDevice) -> None:
    size = 50257
    logits = np.random.default_rng(0).normal(0, 2, size).round(2)  # with many ties
    logits[-1] = 40
    dice = Dice(gpu, size)
    assert dice.sampler.result_size(MAX_TOP) <= dice.sampler.result.size
    for top in (1, 200):
        draw = dice.draw(logits, top=top)
        assert draw.token == size - 1
        check(draw, logits, top)
    check(dice.draw(logits, temperature=2.0, seed=5, top=200), logits, 200, 2.0)
