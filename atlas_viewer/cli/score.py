"""`score`: how well the model predicts a text."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict

from compute.api.load import load
from compute.api.model import Model
from compute.api.score import Score
from compute.io.escape import one_line

from .edits import edit_lines, given_edits, report_edits
from .prompt import given_prompt
from .shared import load_options, model_spec


def run(arguments: argparse.Namespace) -> int:
    """Print log probability, rank and entropy of every token after the first, and the perplexity."""
    text, edits = given_prompt(arguments, arguments.text), given_edits(arguments)
    model = load(model_spec(arguments), options=load_options(arguments, arguments.context))
    score = model.score(text.of(model), edits=edits)
    if arguments.json:
        print(json.dumps(as_json(model, score), ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join([*edit_lines(score.report), *_lines(score)]))
    report_edits(score.report)
    return 0


def as_json(model: Model, score: Score) -> dict[str, object]:
    """The object that `--json` prints; a number that JSON cannot express is None."""
    tokens = [{key: _number(value) for key, value in asdict(token).items()} for token in score.tokens]
    return {
        "model": model.name,
        "edits": list(score.report.edits),
        "tokens": tokens,
        "perplexity": _number(score.perplexity),
    }


def _number(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lines(score: Score) -> list[str]:
    lines = [f"{'logprob':>9} {'rank':>6} {'entropy':>8}  token"]
    for token in score.tokens:
        if token.logprob is None or token.entropy is None:
            numbers = f"{'-':>9} {'-':>6} {'-':>8}"
        else:
            numbers = f"{token.logprob:9.4f} {'-' if token.rank is None else token.rank:>6} {token.entropy:8.4f}"
        lines.append(f"{numbers}  {one_line(token.text)}")
    lines.append("perplexity " + ("-" if score.perplexity is None else f"{score.perplexity:.4f}"))
    return lines
