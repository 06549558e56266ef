"""`attribute`: what each part of the model adds to a logit."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from compute.api.attribution import Attribution
from compute.api.load import load
from compute.api.model import Model
from compute.lens.cell_json import number

from .edits import edit_lines, given_edits, report_edits
from .explanations import check_lines, checks_json, texts_of
from .prompt import given_prompt
from .shared import load_options, model_spec

_BAR = 24  # characters of the longest bar
_SHOWN = 24  # parts and
_NEURONS = 8  # neurons in the text; the JSON has all


def run(arguments: argparse.Namespace) -> int:
    """Print the parts of the logit, the largest first, or all of them as JSON in the order of the model."""
    prompt, edits = given_prompt(arguments, arguments.prompt), given_edits(arguments)
    model = load(model_spec(arguments), options=load_options(arguments, arguments.context))
    found = model.attribute(
        prompt.of(model), target=arguments.target, against=arguments.against, position=arguments.position, edits=edits
    )
    if arguments.json:
        print(json.dumps(as_json(model, found), ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines(model, found)))
    report_edits(found.report)
    return 0


def as_json(model: Model, found: Attribution) -> dict[str, object]:
    """The object that `--json` prints; a number that JSON cannot express is None."""
    return {
        "model": model.name,
        "edits": list(found.report.edits),
        "tokens": found.tokens,
        "position": found.position,
        "target": found.target,
        "against": found.against,
        "logit": number(found.logit),
        "parts": [{"name": part.name, "head": part.head, "value": number(part.value)} for part in found.parts],
        "sum": number(found.sum),
        "sources": [
            {"name": part.name, "head": part.head, "values": [number(value) for value in part.sources]}
            for part in found.parts
            if part.sources is not None
        ],
        "neurons": [
            asdict(neuron) | {"activation": number(neuron.activation), "value": number(neuron.value)}
            for neuron in found.neurons
        ],
        "checks": checks_json(found.checks),
    }


def lines(model: Model, found: Attribution) -> Iterator[str]:
    """The largest parts as bars, the neurons, and the checks."""
    yield from edit_lines(found.report)
    target, *against = texts_of(model, [found.target, *([] if found.against is None else [found.against])])
    (after,) = texts_of(model, [found.tokens[found.position]])
    what = f"logit of {target}" + (f" minus logit of {against[0]}" if against else "")
    yield f"{what} after token {found.position}, {after}: {found.logit:.4f}"
    parts = sorted(found.parts, key=lambda part: -abs(part.value))
    names = [part.name if part.head is None else f"{part.name} head {part.head}" for part in parts]
    width = max(map(len, names[:_SHOWN]))
    largest = max(abs(part.value) for part in parts) or 1.0
    tokens = texts_of(model, found.tokens)
    for name, part in list(zip(names, parts, strict=True))[:_SHOWN]:
        bar = _bar(part.value / largest)
        source = ""
        if part.sources is not None:
            most = int(abs(part.sources).argmax())
            source = f"  most from {most} {tokens[most]} {part.sources[most]:+.3f}"
        yield f"{name:{width}} {part.value:+9.4f} {bar}{source}".rstrip()
    if len(parts) > _SHOWN:
        rest = sum(part.value for part in parts[_SHOWN:])
        yield f"{f'{len(parts) - _SHOWN} smaller parts':{width}} {rest:+9.4f}"
    yield f"{'sum':{width}} {found.sum:+9.4f}, differs from the logit by {abs(found.sum - found.logit):.2g}"
    if found.neurons:
        yield "neurons with the largest contributions:"
    for neuron in found.neurons[:_NEURONS]:
        yield f"  {neuron.name}[{neuron.index}] {neuron.value:+.4f}, its value {neuron.activation:.4f}"
    yield from check_lines(found.checks)


def _bar(share: float) -> str:
    """A bar from a middle line: to the right for what raises the logit, to the left for what lowers it."""
    if share != share:
        return " " * _BAR + "|"
    length = min(_BAR, round(abs(share) * _BAR))
    left = ("-" * length).rjust(_BAR) if share < 0 else " " * _BAR
    return f"{left}|{'' if share < 0 else ('+' * length).ljust(_BAR)}"
