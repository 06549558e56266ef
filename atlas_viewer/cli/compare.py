"""`compare`: how two passes differ, tensor by tensor."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from compute.api.compare import Comparison, compare
from compute.api.operands import recorded_step
from compute.edits.grammar import edits_of
from compute.edits.report import EditReport
from compute.errors import UsageError
from compute.io.escape import one_line
from compute.lens.cell_json import number
from compute.weights.checkpoint import model_files

from .edits import edit_files, read_recordings, report_edits
from .output_paths import check_target, recording_files
from .prompt import read_prompt
from .shared import load_options

_NAME = 20  # characters of a token


def run(arguments: argparse.Namespace) -> int:
    """Print a line per tensor, or all numbers as JSON; also write a picture. Status 0 also when the passes differ."""
    if arguments.out is not None:
        check_target(arguments.out, _reads(arguments), ".png")
    if arguments.prompt == arguments.prompt_b == "-":
        raise UsageError("--prompt and --prompt-b: only one of them can be read from standard input")
    prompt, prompt_b = (None if text is None else read_prompt(text) for text in (arguments.prompt, arguments.prompt_b))
    edits, edits_b = edits_of(arguments.edit), edits_of(arguments.edit_b)
    read_recordings()
    found = compare(
        arguments.a,
        arguments.b,
        prompt=prompt,
        prompt_b=prompt_b,
        edits=edits,
        edits_b=edits_b,
        model=getattr(arguments, "model", None),
        options=load_options(arguments, arguments.context),
    )
    report_edits(found.report_a)
    report_edits(found.report_b)
    if arguments.out is not None:
        _write(arguments.out, found)
    if arguments.json:
        print(json.dumps(as_json(found, arguments.a, arguments.b), ensure_ascii=False, allow_nan=False))
    elif arguments.out is None:
        print("\n".join(lines(found)))
    return 0


def as_json(found: Comparison, a: str, b: str) -> dict[str, object]:
    """The object that `--json` prints; a number that JSON cannot express is None. a, b: as they were given."""
    return {
        "a": a,
        "b": b,
        "tokens_a": found.tokens_a,
        "tokens_b": found.tokens_b,
        "start_a": found.start_a,
        "start_b": found.start_b,
        "positions": [found.positions.start, found.positions.stop],
        "edits_a": list(found.report_a.edits),
        "edits_b": list(found.report_b.edits),
        "tensors": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "max_abs": number(tensor.max_abs),
                "mean_abs": number(tensor.mean_abs),
                "relative": number(tensor.relative),
                "first": None if tensor.first is None else list(tensor.first),
            }
            for tensor in found.tensors
        ],
        "logits": {
            "kl": number(found.kl),
            "top": [
                {
                    "token": change.token,
                    "text": change.text,
                    "a": number(change.probability_a),
                    "b": number(change.probability_b),
                    "logit_a": number(change.logit_a),
                    "logit_b": number(change.logit_b),
                }
                for change in found.top
            ],
        },
        "first_diverging_step": found.first_diverging_step,
    }


def lines(found: Comparison) -> Iterator[str]:
    """What is compared, the tensors that differ, and the predictions."""
    yield from _title(found)
    differing = [tensor for tensor in found.tensors if tensor.first is not None]
    same = len(found.tensors) - len(differing)
    if differing:
        width = max(len(tensor.name) for tensor in differing)
        yield f"{'tensor':{width}}  {'largest':>10}  {'mean':>10}  {'relative':>10}  first element that differs"
        for tensor in differing:
            yield (
                f"{tensor.name:{width}}  {tensor.max_abs:10.4g}  {tensor.mean_abs:10.4g}  {tensor.relative:10.3g}"
                f"  {list(tensor.first or ())}"
            )
    yield f"{same} of {len(found.tensors)} tensors are the same" if same else "all tensors differ"
    if found.first_diverging_step is not None:
        yield f"the tokens of the two runs differ from step {found.first_diverging_step} on"
    yield f"next token: KL(A || B) = {found.kl:.6g} nats"
    if found.top:
        yield f"{'token':{_NAME}}  {'A':>9}  {'B':>9}  {'B - A':>9}"
    for change in found.top:
        name = f'"{one_line(change.text)}"' if change.text else f"id:{change.token}"
        a, b = change.probability_a, change.probability_b
        yield f"{name:{_NAME}}  {100 * a:8.3f}%  {100 * b:8.3f}%  {100 * (b - a):+8.3f}%"


def _title(found: Comparison) -> list[str]:
    titles = [_side("A", found.a, found.tokens_a, found.report_a), _side("B", found.b, found.tokens_b, found.report_b)]
    ends = {(found.start_a, found.start_a + len(found.tokens_a)), (found.start_b, found.start_b + len(found.tokens_b))}
    if len(ends) > 1:
        first, last = found.positions.start, found.positions.stop - 1
        where = f"position {first} is" if first == last else f"positions {first} to {last} are"
        titles.append(
            f"the passes cover different positions: only {where} compared, and the prediction after each text"
        )
    return titles


def _side(letter: str, shown: str, tokens: list[int], report: EditReport) -> str:
    edits = "".join(f", edit {edit}" for edit in report.edits)
    count = "1 token" if len(tokens) == 1 else f"{len(tokens)} tokens"
    return f"{letter}: {shown}, {count}{edits}"


def _reads(arguments: argparse.Namespace) -> list[Path]:
    """The files that the command reads."""
    files = [*edit_files(arguments.edit), *edit_files(arguments.edit_b)]
    for name, given in (("a", arguments.a), ("b", arguments.b)):
        step = recorded_step(given)
        files += model_files(given, name) if step is None else recording_files(Path(step[0]))
    if hasattr(arguments, "model"):
        files += model_files(arguments.model)
    if "-" in (arguments.prompt, arguments.prompt_b) and sys.platform != "win32":
        files.append(Path("/dev/stdin"))
    return files


def _write(path: Path, found: Comparison) -> None:
    from atlas_viewer.export.heat_map import HeatMap, write_heat_map

    title = [*_title(found), "largest difference at each position, relative to the tensor's largest value in A"]
    names = [tensor.name for tensor in found.tensors]
    picture = HeatMap(title, names, _columns(found), found.rows, text=None, root=True)
    write_heat_map(path, picture, {"Description": "\n".join(title)})


def _columns(found: Comparison) -> list[str]:
    """The positions with their tokens, those of B where they differ."""
    columns = []
    for position in found.positions:
        tokens = dict.fromkeys((found.tokens_a[position - found.start_a], found.tokens_b[position - found.start_b]))
        texts = (one_line(found.labels.get(token, f"id:{token}")) for token in tokens)
        columns.append(f"{position} {'/'.join(texts)}")
    return columns
