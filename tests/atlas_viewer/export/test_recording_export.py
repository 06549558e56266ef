"""Pictures and video of a recording, rendered from its tokens."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from atlas_viewer.app.canvas import open_picture
from atlas_viewer.app.viewer import Viewer
from atlas_viewer.cli.main import main
from atlas_viewer.export.frames import MapTrack, RunPictures
from atlas_viewer.export.map_picture import MapPicture
from atlas_viewer.export.render import MapStart, strip_pixels
from atlas_viewer.media.video import write_video
from atlas_viewer.recording.cameras import fixed_camera, recorded_camera, viewport_data
from atlas_viewer.recording.playback import RecordedRun
from atlas_viewer.recording.reader import Recording
from atlas_viewer.recording.records import UiEvent
from atlas_viewer.runner.model_runner import ModelRunner
from atlas_viewer.state import navigation
from atlas_viewer.state.camera import StripCamera
from atlas_viewer.state.map_addresses import box_of
from atlas_viewer.state.map_camera import MapCamera
from atlas_viewer.state.map_viewport import MapViewport, viewport_of
from atlas_viewer.state.state import State
from atlas_viewer.ui import widget_tracking
from compute.forward.load_options import LoadOptions
from compute.gpu.device import shared_device
from compute.models.tensor_index import TensorIndex
from compute.sampling.options import GenerateOptions
from compute.text.tokenizer import load_tokenizer
from compute.views.map_layout import map_layout
from compute.weights.checkpoint import open_model

from helpers.command_line import export

pytestmark = pytest.mark.gpu

STEPS = 4
# A video of 300 steps takes minutes here; ATLAS_VIDEO_STEPS=300 makes one.
VIDEO_STEPS = int(os.environ.get("ATLAS_VIDEO_STEPS", STEPS))
GREEDY = GenerateOptions(context=32, temperature=0.0)
# The story continues for 300 tokens.
LONG = GenerateOptions(context=VIDEO_STEPS + 28, temperature=1.0, seed=5)
PROMPT = "Once upon a time, there was a"
SIZE = (640, 360)


def count_frames(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """The first 8 frames as uint8 [height, width, 3], and the times of all frames in seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
        images = [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in frames[:8]]
        return images, [float(frame.time) for frame in frames]


def record(path: Path, steps: int, options: GenerateOptions) -> Path:
    sampling = ["--temperature", options.temperature, "--seed", options.seed, "--context", options.context]
    assert main(["session", "record", PROMPT, "-n", str(steps), *map(str, sampling), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "a.atlas", STEPS, GREEDY)


@pytest.fixture(scope="module")
def runner() -> ModelRunner:
    return ModelRunner.load(open_model("stories"), load_tokenizer(), LoadOptions(context=32))


@pytest.fixture
def run(recorded: Path) -> Iterator[RecordedRun]:
    with Recording(recorded) as recording:
        yield RecordedRun(recording, recording.run())


def window_picture(runner: ModelRunner, steps: int, options: GenerateOptions = GREEDY) -> np.ndarray:
    """Strip after a run of `steps` tokens."""
    options = dataclasses.replace(options, max_new_tokens=steps, context=32)
    generation = runner.start(PROMPT, options)
    generation.run()
    while runner.paint():
        pass
    return strip_pixels(runner.strip, StripCamera(), SIZE)


def test_a_frame_equals_the_window_at_that_step(runner: ModelRunner, run: RecordedRun) -> None:
    wanted = {steps: window_picture(runner, steps) for steps in (1, 3)}
    pictures = RunPictures(runner, run, SIZE, fixed_camera(1.0, None), panels=False)
    for steps, picture in wanted.items():
        np.testing.assert_array_equal(pictures.frame(steps - 1), picture)
    assert (wanted[1] != wanted[3]).any()


def test_frames_follow_the_recorded_camera(runner: ModelRunner, run: RecordedRun) -> None:
    times = [known.time for known in run.all_steps]
    cameras = [
        UiEvent((times[0] + times[1]) / 2, 1, 1, "strip", {"zoom": 8, "x": 200, "y": 100}),
        UiEvent(0.0, 1, 0, "map", {"zoom": "far"}),
        UiEvent(0.0, 1, 0, "strip", {"zoom": None}),
    ]
    camera = recorded_camera(cameras)
    assert camera(times[0]).zoom == 1.0
    assert (camera(times[1]).zoom, camera(times[1]).center) == (8.0, (200.0, 100.0))
    pictures = RunPictures(runner, run, SIZE, camera, panels=False)
    frames = list(pictures.frames(2, 4))
    assert len(frames) == 8
    same = [bool((frames[number] == frames[number + 1]).all()) for number in range(3)]
    assert same == [True, False, True], "the camera moves halfway to the next step"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_video_contains_the_frames(tmp_path: Path, suffix: str) -> None:
    size, fps = (320, 180), 25
    ramp = np.linspace(0, 255, 320, dtype=np.uint8)
    frames = []
    for number in range(10):
        image = np.zeros((180, 320, 4), np.uint8)
        image[..., 0], image[..., 1], image[..., 2] = ramp, 25 * number, ramp[::-1]
        frames.append(image)
    path = tmp_path / "a"  # the suffix is passed separately, as for a temporary file
    assert write_video(path, suffix, frames, size, fps) == 10
    images, times = count_frames(path)
    assert times == pytest.approx([number / fps for number in range(10)], abs=1e-3)
    for image, frame in zip(images, frames, strict=False):
        assert np.abs(image.astype(int) - frame[..., :3]).mean() < 3


def test_pictures_and_video_of_a_recording(
    tmp_path: Path, runner: ModelRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = record(tmp_path / "a.atlas", VIDEO_STEPS, LONG)
    capsys.readouterr()
    video, folder = tmp_path / "a.mp4", tmp_path / "pictures" / "a"
    wanted = ["--video", video, "--png", folder, "--size", "640x360", "--step-frames", 3, "--fps", 20]
    assert main(["session", "export", str(recorded), *map(str, wanted)]) == 0
    assert capsys.readouterr().err == "", "progress is for terminals"
    images, times = count_frames(video)
    assert times == pytest.approx([number / 20 for number in range(3 * VIDEO_STEPS)])
    pictures = sorted(folder.iterdir())
    assert [path.name for path in pictures] == [f"step-{number + 1:06}.png" for number in range(VIDEO_STEPS)]
    for number in (0, 1):
        with av.open(str(pictures[number])) as container:
            (exact,) = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        # Video has half the resolution in color: single pixels lose color, but keep their brightness.
        shown = images[3 * number].astype(int)
        weights = np.array([0.2126, 0.7152, 0.0722])
        assert np.abs(shown @ weights - exact @ weights).mean() < 6
        assert np.corrcoef((shown @ weights).ravel(), (exact @ weights).ravel())[0, 1] > 0.97
        np.testing.assert_array_equal(exact, window_picture(runner, number + 1, LONG)[..., :3])


def test_interrupted_pictures_leave_no_files(tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "step-000001.png").write_text("old")
    frame = RunPictures.frame

    def stopped(pictures: RunPictures, step: int, part: float = 0.0) -> np.ndarray:
        if step == 2:
            raise KeyboardInterrupt
        return frame(pictures, step, part)

    monkeypatch.setattr(RunPictures, "frame", stopped)
    for target in (folder, tmp_path / "new"):
        assert export(recorded, "--png", target, "--size", "64x36") == 130
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["p", "step-000001.png"]
    assert (folder / "step-000001.png").read_text() == "old"


def test_map_is_drawn_after_each_step(tmp_path: Path, recorded: Path) -> None:
    pictures, one = tmp_path / "pictures", tmp_path / "one.png"
    mapping = ["--view", "map", "--size", "320x180", "--zoom", "2"]
    assert main(["session", "export", str(recorded), "--png", str(pictures), *mapping]) == 0
    made = sorted(pictures.iterdir())
    assert len(made) == STEPS
    assert len({path.read_bytes() for path in made}) > 1
    # The last one equals the picture of `render`, whose Map has rows for exactly that context.
    arguments = ["-n", str(STEPS), "--context", "32", "--temperature", "0", "--out", str(one)]
    assert main(["render", PROMPT, *arguments, *mapping]) == 0
    assert made[-1].read_bytes() == one.read_bytes()


TARGETS = (TensorIndex("h.2.mlp.c_fc.weight", (100, 50)), TensorIndex("h.5.attn.pattern", (2, 1, 1)))


def with_map_cameras(recorded: Path, path: Path, viewports: Sequence[MapViewport]) -> Path:
    """A copy of the recording in which Map shows these viewports from the first, second, ... step on."""
    shutil.copy(recorded, path)
    connection = sqlite3.connect(path)
    times = connection.execute("SELECT time FROM steps ORDER BY step").fetchall()
    for (time,), viewport in zip(times, viewports, strict=False):
        row = (time, json.dumps(viewport_data(viewport)))
        connection.execute("INSERT INTO cameras VALUES (NULL, ?, 1, 0, 'map', ?)", row)
    connection.commit()
    connection.close()
    return path


def picture_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        (image,) = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        return image


def test_map_follows_the_recorded_viewport(
    recorded: Path, run: RecordedRun, runner: ModelRunner, tmp_path: Path
) -> None:
    size, zoom = (320, 180), 90.0
    context = max(known.record.context_length for known in run.all_steps)
    layout = map_layout(runner.registry, context)
    cells = [box_of(target, layout) for target in TARGETS]
    camera, viewports = MapCamera(layout.width, layout.height), []
    for x, y, *_ in cells:
        camera.look_at(zoom, x + 0.5, y + 0.5, *size)
        viewports.append(viewport_of(camera, runner.registry, layout, *size))
    path = with_map_cameras(recorded, tmp_path / "a.atlas", viewports)
    mapping = ["--view", "map", "--size", "320x180", "--png"]
    assert main(["session", "export", str(path), *mapping, str(tmp_path / "follow")]) == 0
    made = [picture_of(picture) for picture in sorted((tmp_path / "follow").iterdir())]
    replay = runner.replay(run.prompt_texts, [known.record for known in run.all_steps], run.options)
    for number, (x, y, *_) in enumerate(cells):
        replay.go(number)
        run.show(number + 1)
        there = MapPicture(runner, size, context, zoom, (x + 0.5, y + 0.5))
        np.testing.assert_array_equal(made[number], there.pixels(run)[..., :3])
    assert (made[0] != made[1]).mean() > 0.3
    assert (made[1] != made[-1]).mean() < 0.3, "it stays at the latest viewport"
    assert main(["session", "export", str(path), *mapping, str(tmp_path / "fixed"), "--camera", "fixed"]) == 0
    whole = [picture_of(picture) for picture in sorted((tmp_path / "fixed").iterdir())]
    assert (whole[0] != whole[1]).mean() < 0.1
    assert (whole[0] != made[0]).mean() > 0.3


def window_with_map(
    runner: ModelRunner, steps: int, target: TensorIndex, size: tuple[int, int]
) -> tuple[np.ndarray, MapViewport]:
    """The window after a run of `steps` tokens, with Map at `target`; and the viewport of Map."""
    options = GenerateOptions(max_new_tokens=steps, context=32, temperature=0.0)
    generation = runner.start(PROMPT, options)
    generation.run()
    canvas = open_picture(size)
    viewer = Viewer(canvas, shared_device(), State(PROMPT, options), None)
    viewer.show(runner, generation, PROMPT)
    navigation.open_map(viewer.state)
    maps = viewer.state.map
    for number in range(200):
        image = np.asarray(canvas.draw())
        if maps.layout is not None and number > 8:
            break
    maps.go(target)
    for _ in range(4):
        image = np.asarray(canvas.draw()).copy()
    viewport = maps.viewport()
    canvas.close()
    return image, viewport


def test_map_among_panels_equals_the_window(
    recorded: Path, run: RecordedRun, runner: ModelRunner, tmp_path: Path
) -> None:
    size = (1280, 720)
    shown = [window_with_map(runner, number, target, size) for number, target in enumerate(TARGETS, start=1)]
    place = widget_tracking.rects["map"]
    part = (slice(round(place.top), round(place.bottom)), slice(round(place.left), round(place.right)), slice(3))
    path = with_map_cameras(recorded, tmp_path / "a.atlas", [viewport for _, viewport in shown])
    mapping = ["--view", "map", "--panels", "--size", "1280x720", "--png", str(tmp_path / "p")]
    assert main(["session", "export", str(path), *mapping]) == 0
    made = [picture_of(picture) for picture in sorted((tmp_path / "p").iterdir())]
    assert made[0].shape == (720, 1280, 3)
    for (image, _), picture in zip(shown, made, strict=False):
        assert len(np.unique(image[part].reshape(-1, 3), axis=0)) > 50
        np.testing.assert_array_equal(picture[part], image[part])
    assert (made[0][part] != made[1][part]).mean() > 0.3
    # Text and chips beside it change, too.
    assert (made[1][:, : round(place.left) - 10] != made[2][:, : round(place.left) - 10]).any()


def test_a_frame_does_not_depend_on_earlier_frames(runner: ModelRunner, run: RecordedRun) -> None:
    viewports = {run.all_steps[1].time: MapViewport(TARGETS[0], 0.5, 0.5, 80, 45)}
    mapping = MapTrack(lambda time: viewports.get(time), MapStart(1.0, None, None))
    pictures = RunPictures(runner, run, (960, 540), fixed_camera(1.0, None), panels=True, maps=mapping)
    first, second = pictures.frame(0), pictures.frame(1)
    np.testing.assert_array_equal(pictures.frame(0), first)
    np.testing.assert_array_equal(pictures.frame(1), second)
    pictures.close()
    assert (first != second).mean() > 0.04


def test_the_window_is_rendered_at_any_step(runner: ModelRunner, run: RecordedRun) -> None:
    size = (1280, 720)
    pictures = RunPictures(runner, run, size, fixed_camera(1.0, None), panels=True)
    first, third = pictures.frame(0), pictures.frame(2)
    again = pictures.frame(0)
    pictures.close()
    assert first.shape == (720, 1280, 4)
    assert (first != third).any()
    # Nothing depends on when a frame is drawn, not even late results such as histograms.
    np.testing.assert_array_equal(first, again)
