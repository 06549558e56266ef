"""One sentence about whatever is under the mouse. Plain values and functions of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Explanation:
    """What F1 shows. `panel` is what the mouse is over in the current frame."""

    asked: bool = False  # F1 has been pressed
    text: str = ""  # shown beside the mouse; empty for nothing
    mouse: tuple[float, float] = (0.0, 0.0)  # where the mouse was at that time
    panel: str = ""  # name of the panel under the mouse


GENERAL = "This window shows a language model at work: every weight, every activation and every choice it makes."
# About panels, by name.
PANELS = {
    "Prompt": "Here you write the text that the model continues; Generate starts.",
    "Atlas": "Strip shows samples of all tensors in the order in which the model computes them, one band per block.",
    "Map": "Map shows every number of the model in a cell of its own; the mouse wheel zooms, dragging pans.",
    "Attention": "How much each token takes from each earlier one, for every head of the model at once.",
    "Lens": "What the model would predict after each block, at each position of the text.",
    "Generated tokens": "Each chip is a token that the model has generated; click one to see how it was chosen.",
    "Output": "The prompt, and the text that the model has added to it.",
    "Runs": "The runs since the window was opened, and their branches.",
    "Logits": "The scores that the model gave to possible next tokens, and the probabilities made from them.",
    "Inspector": "The exact value under the mouse, its tensor and its index; a right-click pins a value.",
    "Sampling": "These settings decide how the next token is drawn from the probabilities.",
    "Distribution": "All probabilities of a step, sorted, and what the sampling options leave of them.",
    "Attribution": "What each head, MLP, bias and embedding adds to the score of a token. The parts sum to it.",
    "Edits": "Edits change numbers inside the model while it runs; each has a switch and a strength.",
    "Patching": "Which parts of one run carry its prediction into another, what each head does, and steering vectors.",
    "Tensors": "Every tensor of the model, with statistics of the latest pass; click one to show it.",
    "Trace": "Statistics of every tensor in the latest pass, as lines of text.",
    "Compare": "The step on screen beside another edit, step, run, prompt or model: what differs in every view.",
    "Run status": "The model, the adapter that it runs on, and how fast.",
    "Session": "Here you record runs in a file, and make videos of the window.",
    "Walk": "Pages that explain the model with your own prompt; Space or Page Down goes on.",
    "Timeline": "The steps of the run; click or drag to go to one.",
}


def explain(widget: str, tensor: tuple[str, str] | None, panel: str) -> str:
    """One sentence. widget: the tooltip of the widget under the mouse; tensor: name and sentence of the one there."""
    if widget:
        return widget
    if tensor is not None:
        return f"{tensor[0]}: {tensor[1]}"
    return PANELS.get(panel, GENERAL)
