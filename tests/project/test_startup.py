"""A start parses, imports and makes no more than it needs. Work is counted, never timed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cffi
import pytest
import wgpu.backends.wgpu_native as backend
from cffi import cparser

import wgsl
from compute.gpu import cffi_startup
from compute.gpu.cffi_startup import speed_up

from helpers.paths import ROOT
from helpers.patience import PATIENCE_S

pytestmark = pytest.mark.gpu

CALLS = {"new", "new_struct", "new_struct_p", "new_array", "cast", "callback", "typeof", "sizeof"}
GENERATE_DOES_WITHOUT = {
    "pygfx", "imgui_bundle", "rendercanvas", "glfw", "freetype", "av", "asyncio", "ssl", "huggingface_hub", "httpx2",
    "filelock", "tqdm", "regex", "atlas_viewer.recording.recorder", "atlas_viewer.app.viewer", "compute.views.map_pass",
    "compute.views.strip", "compute.bench.engine_bench",
}  # fmt: skip
WINDOW_DOES_WITHOUT = {"pygfx", "pylinalg", "uharfbuzz", "av", "huggingface_hub", "httpx2", "tqdm", "regex"}


def type_strings() -> list[str]:
    """Every C type that wgpu's backend and `compute.gpu.wgpu_native` name in a call."""
    files = [*Path(backend.__file__).parent.glob("*.py"), ROOT / "compute" / "gpu" / "wgpu_native.py"]
    found = set()
    for node in (n for file in files for n in ast.walk(ast.parse(file.read_text("utf-8")))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CALLS and isinstance(node.args[0].value, str):
                found.add(node.args[0].value + (" *" if name == "new_struct" else ""))
    return sorted(found - {"B", "Q"})  # those are for memoryviews


@pytest.fixture(scope="module")
def parsers() -> tuple[Any, Any]:
    """cffi's own method and ours, for the same parser."""

    class Plain(cparser.Parser):  # type: ignore[misc]  # cffi has no types
        pass

    class Quick(cparser.Parser):  # type: ignore[misc]
        pass

    # Another test has imported the backend, and with it the quick method, into the class itself.
    original = getattr(cparser.Parser._parse, "__wrapped__", cparser.Parser._parse)
    Plain._parse = Quick._parse = original
    assert speed_up(Quick)
    return Plain, Quick


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """What the backend's parser knows: everything in its header."""
    from wgpu.backends.wgpu_native import _ffi

    return dict(_ffi.ffi._parser.__dict__)


def parser_of(kind: Any, known: dict[str, Any]) -> Any:
    parser = kind()
    parser.__dict__.update(known)
    return parser


def test_every_type_is_parsed_as_cffi_alone_would(parsers: tuple[Any, Any], known: dict[str, Any]) -> None:
    texts = [*type_strings(), "WGPULimits const * const", "WGPUBool (*)(WGPUDevice, WGPUProc *)", "size_t[3]"]
    assert len(texts) > 60
    plain, quick = (parser_of(kind, known) for kind in parsers)
    # One parse of all of them: cffi alone takes as long for each.
    tree = plain._parse("void __dummy(\n{}\n);".format(",\n".join(texts)))[0]
    parameters = tree.ext[-1].type.args.params
    assert len(parameters) == len(texts)
    for text, parameter in zip(texts, parameters, strict=True):
        assert quick.parse_type(text) == plain._get_type_and_quals(parameter.type)[0], text


@pytest.mark.parametrize("text", ["Unknown *", "WGPULimits * *)", "WGPULimits[", "WGPULimits /* * */ x y"])
def test_errors_are_reported_as_by_cffi_alone(parsers: tuple[Any, Any], known: dict[str, Any], text: str) -> None:
    messages = []
    for kind in parsers:
        with pytest.raises(cffi.CDefError) as caught:
            parser_of(kind, known).parse_type(text)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_declarations_are_parsed_as_cffi_alone_would(parsers: tuple[Any, Any]) -> None:
    """Among them names that are declared before, that hide others, and that a comment or a macro has."""
    texts = [
        "typedef struct { int a; } T; typedef T *P; /* Q */ typedef int (*F)(P, ...);",
        "#define T_COUNT 3\ntypedef struct { P one; T two[4]; F call; uint8_t T; } S; S *make(T *T, F);",
        "typedef enum { A, B } E; E which(S);",
    ]
    found = []
    for kind in parsers:
        parser = kind()
        for text in texts:
            parser.parse(text)
        found.append({name: repr(value) for name, value in parser._declarations.items()})
    assert found[0] == found[1]
    assert "function make" in found[0]


def test_another_release_of_cffi_is_left_alone() -> None:
    class Other:
        def _parse(self, csource: str) -> str:
            return csource

    before = Other._parse
    assert not speed_up(Other)
    assert Other._parse is before


def test_a_second_call_changes_nothing() -> None:
    assert speed_up()
    before = cparser.Parser._parse
    assert speed_up()
    assert cparser.Parser._parse is before


def run(code: str) -> Any:
    """What the code prints last, as JSON, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


COUNTED = """
import json, pycparser
parse, sizes = pycparser.CParser.parse, []
def counted(self, text, *rest, **named):
    sizes.append(len(text))
    return parse(self, text, *rest, **named)
pycparser.CParser.parse = counted
from compute.gpu.device import shared_device
from compute.gpu.kernels import Kernels
device = shared_device()
buffer = device.create_buffer(size=4, usage="STORAGE")
Kernels(device).get("strip/peak_all", tensors=1).dispatch((1, 1, 1), {"peaks": buffer})
print(json.dumps(sorted(sizes)))
"""


def test_types_are_not_parsed_behind_a_list_of_all_names() -> None:
    *types, header = run(COUNTED)
    assert header > 50_000  # wgpu's own, once
    assert len(types) > 20
    assert max(types) < 1000


def test_generate_imports_nothing_that_it_does_not_need() -> None:
    loaded = run(
        "import json, sys\n"
        "from atlas_viewer.cli.main import main\n"
        "assert main(['generate', 'hi', '-n', '1']) == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert "compute.forward.engine" in loaded
    assert not GENERATE_DOES_WITHOUT & set(loaded)


def test_the_first_frame_imports_nothing_that_it_does_not_need() -> None:
    loaded = run(
        "import json, sys\n"
        "import atlas_viewer.cli.view\n"
        "from atlas_viewer.app.viewer import Viewer\n"
        "from atlas_viewer.app.canvas import open_picture\n"
        "from atlas_viewer.scene.scene_library import check_device\n"
        "from atlas_viewer.state.state import State\n"
        "from compute.gpu.device import shared_device\n"
        "from compute.sampling.options import GenerateOptions\n"
        "device = shared_device()\n"
        "check_device(device)\n"
        "canvas = open_picture((640, 360))\n"
        "viewer = Viewer(canvas, device, State('a', GenerateOptions(), loading='a'), iter(()))\n"
        "assert canvas.draw() is not None\n"
        "assert viewer.failure is None\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert "imgui_bundle" in loaded
    assert not WINDOW_DOES_WITHOUT & set(loaded)


def test_pygfx_can_be_imported_beside_a_device_that_is_there() -> None:
    assert run(
        "import json, sys\n"
        "from atlas_viewer.scene.scene_library import make_scene\n"
        "from atlas_viewer.state.camera import View\n"
        "from compute.gpu.device import shared_device\n"
        "device = shared_device()\n"
        "assert 'pygfx' not in sys.modules\n"
        "import wgpu\n"
        "asking = wgpu.preconfigure_default_device\n"
        "usage = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.COPY_DST\n"
        "texture = device.create_texture(size=(640, 360, 1), format='rgba8unorm', usage=usage)\n"
        "scene = make_scene(device)\n"
        "scene.strip.show(texture)\n"
        "scene.strip.draw(View(0, 0, 640, 360), 64, 36)\n"
        "assert wgpu.preconfigure_default_device is asking\n"
        "print(json.dumps(list(scene.strip.pixels().shape)))"
    ) == [36, 64, 4]


def test_templates_are_kept_and_a_damaged_one_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(tmp_path / "cache"))
    text = wgsl.load("strip/peak_all", tensors=3)
    made = wgsl.environment.__wrapped__
    assert made().get_template("strip/peak_all.wgsl").render(tensors=3) == text
    kept = sorted((tmp_path / "cache" / "templates").iterdir())
    assert kept
    for path in kept:
        data = path.read_bytes()
        for damaged in (b"", data[:1], data[: len(data) // 2], data[:20] + b"\xff" + data[21:], b"nonsense"):
            path.write_bytes(damaged)
            assert made().get_template("strip/peak_all.wgsl").render(tensors=3) == text
            assert path.read_bytes() == data


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ATLAS_VIEWER_CACHE", str(tmp_path / "file"))
    assert "peaks" in wgsl.environment.__wrapped__().get_template("strip/peak_all.wgsl").render(tensors=3)


def test_the_names_expected_of_cffi_are_those_of_the_pinned_release() -> None:
    original = getattr(cparser.Parser._parse, "__wrapped__", cparser.Parser._parse)
    assert frozenset(original.__code__.co_names) == cffi_startup._EXPECTED
