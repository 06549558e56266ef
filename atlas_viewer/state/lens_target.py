"""The target of the Lens panel: the token that its field names."""

from __future__ import annotations

from compute.errors import AtlasError, options_spelled
from compute.text.one_token import Vocabulary, token_id

from .lens_view import RANK, LensView


def aim(view: LensView, text: str, vocabulary: int, tokenizer: Vocabulary) -> None:
    """Make the token that `text` names the target; when it names none, note the reason. Without text there is none."""
    view.typed, view.refused, target = text, "", None
    if text:
        try:
            with options_spelled(_field):
                target = token_id(text, vocabulary, tokenizer, "target")
        except AtlasError as error:
            view.refused = str(error)
    if target is not None and view.target is None:
        view.mode = RANK
    view.target = target


def _field(name: str, value: tuple[object, ...]) -> str:
    """How messages name the field and its text."""
    return f'{name} "{value[0]}"' if value else f"the {name}"
