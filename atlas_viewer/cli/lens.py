"""`lens`: what the model would predict after each block."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from atlas_viewer.state.quoting import quoted
from compute.api.lens import Lens
from compute.api.load import load
from compute.api.model import Model
from compute.io.array_files import write_npz
from compute.io.escape import one_line
from compute.lens.cell_json import cell_json

from .edits import edit_files, edit_lines, given_edits, report_edits
from .explanations import check_lines, checks_json, texts_of
from .output_paths import check_target, generation_files
from .prompt import given_prompt
from .shared import load_options, model_spec
from .text_grid import grid

PICTURES = (".png", ".svg")
_CELL = 11  # characters


def run(arguments: argparse.Namespace) -> int:
    """Print the likeliest tokens at every point and position, or all numbers as JSON; also write them to a file."""
    if arguments.out is not None:
        reads = [
            *generation_files(arguments),
            *edit_files(arguments.edit),
            *([arguments.lens_file] if arguments.lens_file else []),
        ]
        check_target(arguments.out, reads, ".npz", *PICTURES)
    prompt, edits = given_prompt(arguments, arguments.prompt), given_edits(arguments)
    model = load(model_spec(arguments), options=load_options(arguments, arguments.context))
    tokens = prompt.of(model)
    lens = model.lens(tokens, top=arguments.top, target=arguments.target, lens_file=arguments.lens_file, edits=edits)
    if arguments.out is not None:
        _write(arguments.out, model, lens, tokens if isinstance(tokens, str) else model.tokenizer.decode(tokens))
    if arguments.json:
        print(json.dumps(as_json(model, lens), ensure_ascii=False, allow_nan=False))
    elif arguments.out is None:
        print("\n".join(lines(model, lens)))
    report_edits(lens.report)
    return 0


def _write(path: Path, model: Model, lens: Lens, prompt: str) -> None:
    if path.suffix.lower() not in PICTURES:
        write_npz(path, arrays(lens))
        return
    from atlas_viewer.export.lens_picture import lens_picture, write_lens_picture

    def text(token: int) -> str:
        return texts_of(model, [token], label=False)[0] if model.fits_tokenizer else f"id:{token}"

    read = "" if lens.lens_file is None else f", lens file {one_line(lens.lens_file)}"
    notes = [f"model {model.name}, {one_line(model.adapter)}{read}", f"text {quoted(prompt)}", *edit_lines(lens.report)]
    columns = [(position, text(token), False) for position, token in enumerate(lens.tokens)]
    target = "" if lens.target is None else quoted(text(lens.target))
    kind = "Logit lens" if lens.lens_file is None else "Lens"
    picture = lens_picture(f"{kind} of {model.name}", notes, lens.points, lens, columns, text, target)
    write_lens_picture(path, picture)


def as_json(model: Model, lens: Lens) -> dict[str, object]:
    """The object that `--json` prints; a number that does not exist or that JSON cannot express is None."""

    def text(token: int) -> str:
        return texts_of(model, [token], label=False)[0]

    return {
        "model": model.name,
        "edits": list(lens.report.edits),
        "tokens": lens.tokens,
        "points": list(lens.points),
        "target": lens.target,
        "lens_file": None if lens.lens_file is None else str(lens.lens_file),
        "translated": list(lens.translated),
        "cells": [
            [cell_json(lens, point, position, text) for position in range(len(lens.tokens))]
            for point in range(len(lens.points))
        ],
        "decided": [int(point) for point in lens.decided],
        "checks": checks_json(lens.checks),
    }


def arrays(lens: Lens) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays that `--out` writes, by name."""
    yield "top_tokens", lens.top_tokens
    yield "top_logits", lens.top_logits
    if lens.target_logit is not None and lens.target_rank is not None:
        yield "target_logit", lens.target_logit
        yield "target_rank", lens.target_rank
    if lens.lens_file is not None:
        yield "lens_file", np.asarray(str(lens.lens_file))
    if lens.report.edits:
        yield "edits", np.asarray(lens.report.edits)


def lines(model: Model, lens: Lens) -> Iterator[str]:
    """The likeliest token at every point and position, the last position in detail, and the checks."""
    texts = texts_of(model, lens.tokens)
    yield from edit_lines(lens.report)
    yield from _file_lines(lens)
    yield "The likeliest next token at each point (rows) after each token of the text (columns):"
    columns = [f"{position} {text}" for position, text in enumerate(texts)]
    rows = [texts_of(model, row) for row in lens.top_tokens[:, :, 0]]
    yield from grid(lens.points, columns, rows, _CELL)
    last = len(lens.tokens) - 1
    yield ""
    yield f"After token {last}, {texts[last]}:"
    width = max(map(len, lens.points))
    for index, point in enumerate(lens.points):
        top = zip(lens.top_tokens[index, last], lens.top_probabilities[index, last], strict=True)
        named = "  ".join(
            f"{text} {100 * probability:.1f}%"
            for (token, probability), text in zip(top, texts_of(model, lens.top_tokens[index, last]), strict=True)
            if token >= 0
        )
        yield f"{point:{width}}  entropy {lens.entropy[index, last]:6.3f}{_target(lens, index, last)}  {named}"
    if lens.top_tokens[-1, last, 0] < 0:
        yield "no logit of the last point is finite, so nothing is predicted"
    else:
        yield f"{lens.points[lens.decided[last]]} is the first point from which the final prediction stays first"
    yield from check_lines(lens.checks)


def _file_lines(lens: Lens) -> Iterator[str]:
    if lens.lens_file is None:
        return
    yield f"lens file {one_line(lens.lens_file)}"
    plain = [point for point in lens.points if point not in lens.translated]
    if plain:
        yield f"without an entry in it, read as they are: {', '.join(plain)}"


def _target(lens: Lens, point: int, position: int) -> str:
    if lens.target_rank is None or lens.target_probability is None:
        return ""
    return f"  target rank {lens.target_rank[point, position]:5} {100 * lens.target_probability[point, position]:6.2f}%"
