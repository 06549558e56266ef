"""`session export`: a recording as video, pictures, text or arrays."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from atlas_viewer.recording.arrays import as_csv, as_json, as_npz
from atlas_viewer.recording.playback import RecordedRun, check_shape, longest_context
from atlas_viewer.recording.reader import Recording
from compute.errors import OutputError, RecordingError, UsageError
from compute.io.output_files import output_folder, output_path, write_output
from compute.weights.checkpoint import model_files
from compute.weights.model_tokenizer import tokenizer_of

from .output_paths import check_folder, check_replaced, check_target, recording_files
from .session_lens import SUFFIXES, export_lens
from .session_source import recorded_source, recorded_weights
from .shared import check_camera, load_options

_FILES = ("json", "csv", "npz", "video", "lens")
_SUFFIXES = {"npz": (".npz",), "lens": SUFFIXES}


def export(arguments: argparse.Namespace) -> int:
    """Write every output that was requested. Raises `AtlasError`."""
    _check(arguments)
    with Recording(arguments.file) as recording:
        if arguments.json is not None:
            _put(arguments.json, as_json(recording) + "\n")
        if arguments.csv is not None:
            _put(arguments.csv, as_csv(recording))
        if arguments.npz is not None:
            write_output(arguments.npz, as_npz(recording, recording.run(arguments.run)))
        if arguments.lens is not None:
            export_lens(arguments.lens, recording, recording.run(arguments.run))
        if arguments.png is not None or arguments.video is not None:
            _pictures(arguments, recording)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Raise the errors that can be predicted before any work is done."""
    files = [getattr(arguments, name) for name in _FILES]
    if not any(target is not None for target in (*files, arguments.png)):
        raise UsageError("session export: no output; give --video, --png, --json, --csv, --npz or --lens")
    reads = recording_files(arguments.file)
    if hasattr(arguments, "model"):
        reads += model_files(arguments.model)
    for name, target in zip(_FILES, files, strict=True):
        if target not in (None, "-"):
            check_target(Path(target), reads, *_SUFFIXES.get(name, ()))
    written = [os.path.realpath(target) for target in (*files, arguments.png) if target not in (None, "-")]
    if len(set(written)) < len(written):
        raise OutputError("session export: two outputs have the same path; choose another path for one of them")
    if not 1 <= arguments.fps <= 1000:
        raise UsageError(f"--fps {arguments.fps}: must be from 1 to 1000")
    if not 1 <= arguments.step_frames <= 10_000:
        raise UsageError(f"--step-frames {arguments.step_frames}: must be from 1 to 10000")
    check_camera(arguments)
    if arguments.video is not None:
        from atlas_viewer.media.video import check_video

        check_video(arguments.video, arguments.size)
    if arguments.png is not None:
        check_folder(arguments.png)


def _put(target: str, text: str) -> None:
    if target == "-":
        sys.stdout.write(text)
    else:
        write_output(target, text.encode())


def _pictures(arguments: argparse.Namespace, recording: Recording) -> None:
    from atlas_viewer.export.frames import MapTrack, RunPictures
    from atlas_viewer.export.render import MapStart
    from atlas_viewer.media.png import png
    from atlas_viewer.media.video import write_video
    from atlas_viewer.recording.cameras import recorded_camera, recorded_viewport
    from atlas_viewer.runner.model_runner import ModelRunner

    from .progress import counted  # loads tqdm, which only pictures need

    run = RecordedRun(recording, recording.run(arguments.run))
    count = len(run.all_steps)
    if not count:
        raise RecordingError(f"{recording.shown}: run {run.info.id} has no steps to show; record some first")
    edits = "\n".join(edit.text for edit in run.info.edits)
    named = {"Edits": edits} if edits else {}
    names = [f"step-{number:06}.png" for number in range(1, count + 1)]
    if arguments.png is not None:
        for name in names:
            check_replaced(arguments.png / name, recording_files(arguments.file))
    # A camera keeps its position from run to run.
    ui_events = recording.cameras() if arguments.camera == "follow" else []
    camera = recorded_camera(ui_events, arguments.zoom, arguments.center)
    start = MapStart(arguments.zoom, arguments.center, None)
    maps = MapTrack(recorded_viewport(ui_events), start) if arguments.view == "map" else None
    source = recorded_source(arguments, recording.head)
    try:
        check_shape(recording, source.name, source.config)
        runner = ModelRunner.load(
            source,
            tokenizer_of(source),
            load_options(arguments, longest_context(run.all_steps), recorded_weights(arguments, recording.head)),
        )
        pictures = RunPictures(runner, run, arguments.size, camera, panels=arguments.panels, maps=maps)
        if arguments.png is not None:
            images = counted(pictures.frames(count, 1), count, "picture")
            with output_folder(arguments.png) as folder:
                for name, image in zip(names, images, strict=True):
                    with folder.file(name) as file:
                        file.write(png(image, named))
        if arguments.video is not None:
            total = count * arguments.step_frames
            frames = counted(pictures.frames(count, arguments.step_frames), total, "frame")
            with output_path(arguments.video) as temporary:
                write_video(temporary, arguments.video.suffix, frames, arguments.size, arguments.fps)
        pictures.close()
    finally:
        source.close()
