"""What the fields of the Patching panel ask for, and what is wrong with them."""

from __future__ import annotations

from compute.errors import AtlasError, UsageError, options_spelled
from compute.text.one_token import Vocabulary, token_id

from .patching_view import ABLATE, LAST, MEAN, NOISE, PATCH, STEER, Job, MapJob, PatchingView, SteerJob
from .state import State

EXAMPLE = (
    "One day, Tom had a red ball and a very big cat. Then",
    "One day, Ben had a red ball and a very big cat. Then",
    " Tom",
    " Ben",
)
GLAD = "The dog was happy. He smiled\nShe was very happy and laughed"
SAD = "The dog was sad. He cried\nShe was very sad and cried"


def clean_text(state: State) -> str:
    """The clean text, or the one text of an ablation."""
    view = state.patching
    return state.prompt if view.clean is None else view.clean


def corrupt_text(state: State) -> str:
    """The corrupt text."""
    view = state.patching
    return clean_text(state) if view.corrupt is None else view.corrupt


def default_target(state: State) -> int | None:
    """The token that the model drew after the clean text, if that is the text on screen."""
    run = state.run
    return run.steps[0].token if run is not None and run.steps and run.prompt == clean_text(state) else None


def check(state: State, tokenizer: Vocabulary) -> None:
    """Bring `view.job`, `view.error` and `view.offer` up to date with the fields."""
    view = state.patching
    view.job, view.error, view.offer, view.offered = None, "", "", ""
    try:
        with options_spelled(_field):
            view.job = _steer(state) if view.section == STEER else _map(state, tokenizer)
    except AtlasError as error:
        view.error = str(error)


def _map(state: State, tokenizer: Vocabulary) -> Job:
    view, model = state.patching, state.model
    assert model is not None
    tokenizer.check_fits(model.vocabulary)
    clean = clean_text(state)
    texts = (clean, corrupt_text(state)) if view.section == PATCH else (clean,)
    tokens = tuple(tuple(tokenizer.encode(text)) for text in texts)
    for name, ids in zip(("clean", "corrupt") if len(texts) > 1 else ("text",), tokens, strict=True):
        if not ids:
            raise UsageError(f"{name}: is empty; type a text")
        if len(ids) > model.positions:
            raise UsageError(f"{name}: has {len(ids)} tokens, the model has {model.positions} positions; shorten it")
    if len(texts) > 1 and len(tokens[0]) != len(tokens[1]):
        raise UsageError(
            f"clean has {len(tokens[0])} tokens, corrupt has {len(tokens[1])}: positions correspond only when both have"
            " the same number"
        )
    target = _token(state, "target", view.target, default_target(state), tokenizer)
    against = None
    if view.section == PATCH or view.against:
        against = _token(state, "against", view.against, None, tokenizer)
    if target is None or (view.section == PATCH and against is None):
        missing = "target" if target is None else "against"
        raise UsageError(f"{missing}: is empty; type a token, such as the one that the other text leads to")
    if len(texts) > 1 and tokens[0] == tokens[1]:
        raise UsageError("corrupt: is the same text as clean; change a word of it")
    return MapJob(
        section=view.section,
        texts=texts,
        tokens=tokens,
        target=target,
        against=against,
        over=view.over,
        direction="noise" if view.direction == NOISE else "denoise",
        to="mean" if view.section == ABLATE and view.to == MEAN else "zero",
        control=view.control and view.section == PATCH,
    )


def _token(state: State, name: str, text: str, default: int | None, tokenizer: Vocabulary) -> int | None:
    """The token that a field names. When it names several, the first one becomes an offer."""
    view, model = state.patching, state.model
    assert model is not None
    if not text:
        return default
    try:
        return token_id(text, model.vocabulary, tokenizer, name)
    except UsageError:
        _offer(view, name, text, tokenizer)
        raise


def _offer(view: PatchingView, name: str, text: str, tokenizer: Vocabulary) -> None:
    """Offer the token that the user probably means: the text after a space if that is one token, or its first one."""
    if text.startswith("id:"):
        return
    spaced = tokenizer.encode(" " + text) if not text.startswith(" ") else ()
    tokens = tokenizer.encode(text)
    if len(spaced) == 1:
        view.offer, view.offered = " " + text, name
    elif tokens:
        label = tokenizer.token_label(tokens[0])
        fits = list(tokenizer.encode(label)) == [tokens[0]]
        view.offer, view.offered = label if fits else f"id:{tokens[0]}", name


def _steer(state: State) -> Job:
    view = state.patching
    lists = [tuple(line for line in text.splitlines() if line.strip()) for text in (view.texts_a, view.texts_b)]
    for name, texts in zip("AB", lists, strict=True):
        if not texts:
            raise UsageError(f"texts {name}: are empty; type at least one text, each on a line of its own")
    at = view.at if view.at in view.points else default_point(state)
    return SteerJob(lists[0], lists[1], at, -1 if view.position == LAST else None)


def default_point(state: State) -> str:
    """The residual stream in the middle of the model."""
    points = state.patching.points
    return points[len(points) // 2] if points else ""


def fill_example(state: State) -> None:
    """Fill in the fields of an example."""
    view = state.patching
    if view.section == STEER:
        view.texts_a, view.texts_b, view.position = GLAD, SAD, "all tokens"
        return
    clean, corrupt, target, against = EXAMPLE
    view.clean, view.target, view.against = clean, target, against
    view.corrupt = corrupt if view.section == PATCH else view.corrupt


def take_offer(state: State) -> None:
    """Put the offer into its field."""
    view = state.patching
    if view.offered:
        setattr(view, view.offered, view.offer)


def _field(name: str, value: tuple[object, ...]) -> str:
    """How messages name a field and its text."""
    return f'{name} "{value[0]}"' if value else name
