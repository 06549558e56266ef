"""Fixtures that tests share: the device of a test process, the embedded model on it, and its tokenizer."""

from __future__ import annotations

import gc
import os
import signal
import tempfile

# nohup ignores SIGHUP, and programs that tests start would inherit that; tests end some of them with it.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Vulkan complains without a private folder; it must be set before the first instance is created.
if "XDG_RUNTIME_DIR" not in os.environ:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="atlas-viewer-tests-")

# Windows that tests open neither read nor change the user's settings and cache.
os.environ["ATLAS_VIEWER_CONFIG"] = tempfile.mkdtemp(prefix="atlas-viewer-tests-config-")
os.environ["ATLAS_VIEWER_CACHE"] = tempfile.mkdtemp(prefix="atlas-viewer-tests-cache-")

import hypothesis
import pygfx  # noqa: F401  its import decides which features the default device requests, so it comes before the device
import pytest
import wgpu

from compute.forward.engine import Engine
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.selftest.gpu import Gpu
from compute.text.tokenizer import Tokenizer, load_tokenizer
from compute.weights.checkpoint import open_model

# Other processes may use the processor meanwhile.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_runtest_setup() -> None:
    """Remove hypothesis's callback from the garbage collector.

    It only measures how long collections take, for deadlines, which no test here has. It fails in a collection while a
    deeply nested text exhausts the stack, and pytest then blames the test.
    """
    gc.callbacks[:] = [callback for callback in gc.callbacks if not callback.__module__.startswith("hypothesis")]


@pytest.fixture(scope="session")
def device() -> wgpu.GPUDevice:
    """The device that everything in this process shares."""
    return shared_device()


@pytest.fixture(scope="session")
def gpu(device: wgpu.GPUDevice) -> Gpu:
    """Buffers, weights and pipelines by hand, for tests of single kernels."""
    return Gpu(device)


@pytest.fixture(scope="session")
def stories(device: wgpu.GPUDevice) -> Engine:
    """The embedded model with a context of 64."""
    return Engine.load(open_model("stories"), LoadOptions(context=64))


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """The tokenizer of `stories`."""
    return load_tokenizer()
