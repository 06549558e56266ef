"""The dialogs for keyboard shortcuts and for the pages about the program."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer import __version__
from atlas_viewer.state.state import State
from atlas_viewer.ui import panel_titles, theme, widget_tracking
from atlas_viewer.ui.actions import ACTIONS

from .menu_bar import MENUS
from .modal import modal
from .widgets import dim

# Mouse and keyboard input that is not an action, because it depends on the cursor's position.
_INPUT = (
    ("Wheel, drag", "zoom Strip or Map around the cursor, pan"),
    ("Double-click", "on Strip: show all of it; on Map: go to the weights that produced a value"),
    ("Wheel", "on Attention: change the layer; with Ctrl, zoom the matrices"),
    ("Wheel", "on Lens: move through the positions; with Ctrl, zoom"),
    ("Click", "select a value or token, or nothing; on a name on Map: show the tensor or block of that name"),
    ("Side buttons", "of the mouse, on Map: back and forward"),
    ("Right-click", "pin the value under the cursor"),
    (
        "Arrow keys",
        "move the inspected cell or pin; without one, pan Strip or Map; choose a head or cell elsewhere",
    ),
    ("Click, drag", "on the timeline: go to a step; Left and Right go on from there"),
    ("Drop", "a recording, or a model's file or folder, on the window: open it"),
    ("Ctrl+C", "copy the inspected value"),
    ("Enter", "in the prompt: generate"),
    ("Space, Left", "in Walk: next and previous page; Enter follows the next link"),
    ("Tab", "go to the next widget; Ctrl+Tab goes to the next panel"),
)
_PAGES = {
    "Program": (
        "Atlas runs GPT-2, a language model, on this machine's GPU. Compute passes do everything: embeddings, "
        "attention, the layers in between, and the choice of the next token. Their results stay on the GPU, and Strip "
        "and Map are painted from the same memory, so every number on screen is the number that was computed.",
        "The window never waits for the model, and the model never waits for the window: a run is cut into slices that "
        "fit between two frames.",
    ),
    "Atlas": (
        "Strip has 640 by 360 cells and reads like a page: first the tokens of the context as the model sees them, "
        "then, block by block, the parameters and the activations they produce, and at the end the logits over the "
        "vocabulary.",
        "Gold is positive, blue is negative; brighter cells are larger in magnitude within their tensor. Most tensors "
        "have more values than cells: with `pool` a cell shows the value of largest magnitude among those it "
        "represents, with `point` the first. Red is NaN or infinity; zoomed in, NaN is a cross, infinity a plus or a "
        "minus.",
        "Point at a cell, and the inspector shows its exact value, read from the GPU.",
    ),
    "Map": (
        "Map shows every value of the model in a cell of its own. A tensor is a rectangle of its rows and columns, the "
        "parts of the model follow each other in the order a token passes through them, and a weight is above the "
        "activation it produces. From afar a pixel shows the most extreme value under it; up close each cell shows its "
        "number.",
        "G goes to an index such as h.3.mlp.c_fc.weight[12, 70] or h.3.attn.pattern[2, 7, 3] (head, query, key), or to "
        "a tensor or a part of the model by name.",
    ),
    "Attention": (
        "Attention shows every attention head of every layer as a small triangle, with a row for each query, the token "
        "that gathers information, and a column for each key, a token that it may gather it from. One head is enlarged "
        "in three steps: scores, the mask that hides later tokens, and the softmax that turns each row into weights.",
        "Point at a cell or a token: the lines in the text below are as wide as the weights. Sort the heads to find "
        "those that attend to the previous token, to the first one, or to what followed the same token earlier.",
    ),
    "Lens": (
        "Lens shows what the model would predict if it ended earlier: the final norm and the head are applied to the "
        "residual stream before the first block and after each block. A column is a position of the text, the rows go "
        "from the embedding at the top to the last block at the bottom, whose prediction is the model's own.",
        "Each cell shows the likeliest next token. The line in a column marks the point from which on the final "
        "prediction stays first. Type a target to see its rank. Point at a cell for more tokens, click to select it.",
    ),
    "Edits": (
        "An edit changes numbers inside the model while it runs, and everything after them follows. Select a head, a "
        "neuron, a token or a cell and press Ctrl+E, or drag a rectangle on Map with Shift: zero it, scale it, set it, "
        "patch it from another run, or add a steering vector. Edited values are outlined in pink in every view.",
        "A change runs the text again in a branch, from the first token that it affects, and keeps the earlier run. "
        "Hold U to see the model without edits, or I to see the chosen edit alone.",
    ),
    "Patching": (
        "Patching copies one part of a run, say the residual stream before a block at one position, into the run of "
        "another text that differs in one word. A cell of the map says how much of the prediction came along: 0 for "
        "nothing, 1 for all of it. Ablate switches off every head and MLP instead, one by one. Steer finds the "
        "direction between texts of two kinds.",
        "Below the map are the checks: a run patched with itself, the floating-point error, patches without effect, "
        "and on request random vectors of the same length. Click a cell and apply it as an edit.",
    ),
    "Sampling": (
        "The last layer gives every token of the vocabulary a score, its logit. The logits are divided by the "
        "temperature, and a softmax turns them into probabilities. Top-k, top-p and min-p remove unlikely tokens, and "
        "one of the others is drawn at random. Temperature 0 always takes the likeliest token.",
        "The same seed gives the same tokens on the same adapter. Clicking another candidate branches the run; both "
        "branches stay in the list of runs.",
    ),
}


def draw(state: State) -> None:
    """Draw the dialog that is open, if any."""
    modal(state, "keys", "Keyboard shortcuts", _keys, ImVec2(44, 36))
    modal(state, "about", "About", _about, ImVec2(44, 26))


def _keys(_state: State) -> None:
    for menu in MENUS:
        _heading(panel_titles.title(menu))
        _table(menu, [(action.chord, action.title) for action in ACTIONS if action.menu == menu and action.chord])
    _heading("Mouse and keyboard")
    _table("input", list(_INPUT))


def _heading(text: str) -> None:
    imgui.spacing()
    with theme.colored(imgui.Col_.text, theme.now.accent):
        imgui.text(text)


def _table(name: str, rows: list[tuple[str, str]]) -> None:
    if imgui.begin_table(name, 2, imgui.TableFlags_.sizing_fixed_fit):
        imgui.table_setup_column("keys", imgui.TableColumnFlags_.width_fixed, 10 * imgui.get_font_size())
        imgui.table_setup_column("what", imgui.TableColumnFlags_.width_stretch)
        for keys, what in rows:
            imgui.table_next_row()
            imgui.table_next_column()
            imgui.text("?" if keys == "Shift+/" else keys)
            imgui.table_next_column()
            imgui.text_wrapped(what)
        imgui.end_table()


def _about(state: State) -> None:
    imgui.text(f"Atlas {__version__}")
    if state.model is not None:
        dim(f"{state.model.name} on {state.model.adapter}")
    if not imgui.begin_tab_bar("pages"):
        return
    for page, paragraphs in _PAGES.items():
        opened, _ = imgui.begin_tab_item(f"{panel_titles.title(page)}###{page}")
        widget_tracking.track(f"page:{page}")
        if opened:
            for paragraph in paragraphs:
                imgui.spacing()
                imgui.text_wrapped(paragraph)
            imgui.end_tab_item()
    imgui.end_tab_bar()
