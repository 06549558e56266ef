"""The facts that placeholders in walks stand for, as short texts."""

from __future__ import annotations

from atlas_viewer.walk.placeholders import token_number
from compute.models.operations import Activation, Gated

from .quoting import quoted
from .state import State
from .text_tokens import context_token
from .walk_subjects import element_of

UNKNOWN = "..."
_PROMPT = 40  # characters shown of the prompt
_MILLION = 1_000_000


def fact(state: State, name: str) -> str:
    """The text for the placeholder `name`; three dots while it is unknown."""
    number = token_number(name)
    if number is not None:
        return _token(state, number - 1)
    if name == "value":
        return _value(state)
    if name.startswith("strongest "):
        return _strongest(state, name)
    rows = state.inspection.rows
    if name in ("last token", "previous token"):
        return _token(state, rows - (1 if name == "last token" else 2))
    if name == "tokens":
        return str(rows) if rows else UNKNOWN
    return _of_run(state, name) or _of_step(state, name) or _of_model(state, name) or UNKNOWN


def _token(state: State, row: int) -> str:
    token = context_token(state, row) if 0 <= row < state.inspection.rows else None
    return UNKNOWN if token is None else quoted(token[1])


def _strongest(state: State, name: str) -> str:
    shares = state.walks.shares
    if shares.strongest is None:
        return UNKNOWN
    return _token(state, shares.strongest) if name.endswith("token") else _percent(shares.known[shares.strongest])


def _value(state: State) -> str:
    page, registry = state.walks.page, state.map.registry
    element = element_of(page.subject, registry) if page is not None and registry is not None else None
    value = state.inspection.value(element) if element is not None else None
    return UNKNOWN if value is None else f"{value:.4g}"


def _of_run(state: State, name: str) -> str:
    run = state.run
    if name == "temperature":
        return f"{state.options.temperature:g}"
    if run is None:
        return ""
    if name == "prompt":
        return quoted(run.prompt if len(run.prompt) <= _PROMPT else f"{run.prompt[:_PROMPT]}...")
    return str(len(run.prompt_tokens)) if name == "prompt tokens" else ""


def _of_step(state: State, name: str) -> str:
    step = state.step
    if step is None:
        return ""
    first, _, what = name.partition(" ")
    if first == "drawn":
        return quoted(step.text) if what == "token" else _percent(step.probability)
    rank = {"top": 0, "second": 1}.get(first)
    likely = sorted(step.top, key=lambda candidate: -candidate.model_probability)
    if rank is None or len(likely) <= rank:
        return ""
    return quoted(likely[rank].text) if what == "token" else _percent(likely[rank].model_probability)


def _of_model(state: State, name: str) -> str:
    model = state.model
    if model is None:
        return ""
    if name == "model":
        return model.name
    if name == "parameters":
        count = model.parameters
        return f"{count / _MILLION:.0f} million" if count >= 10 * _MILLION else f"{count:,}"
    if name == "hidden":
        operations = state.walks.description.operations() if state.walks.description is not None else ()
        wide = [operation.columns for operation in operations if isinstance(operation, Activation | Gated)]
        return f"{wide[0]:,}" if wide else ""
    sizes = {
        "layers": model.layers, "middle": model.layers // 2, "heads": model.heads, "channels": model.channels,
        "vocabulary": model.vocabulary, "positions": model.positions,
    }  # fmt: skip
    return f"{sizes[name]:,}" if name in sizes else ""


def _percent(probability: float) -> str:
    share = 100 * probability
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.2g} %"
