"""The list of keys, and what this program is."""

from __future__ import annotations

from imgui_bundle import ImVec2, imgui

from atlas_viewer import __version__
from atlas_viewer.state.state import State
from atlas_viewer.ui import panel_titles, theme, widget_tracking
from atlas_viewer.ui.actions import ACTIONS

from .menu_bar import MENUS
from .modal import modal
from .widgets import dim

# What mouse and keyboard do that is no action, because it needs a place.
_HANDS = (
    ("Wheel, drag", "zoom the atlas or the map about the cursor, move it"),
    ("Double click", "on the atlas: show all of it; on the map: go to the weights that made a value"),
    ("Click", "on a name on the map: show what it names"),
    ("Side buttons", "of the mouse, on the map: back and forward"),
    ("Right click", "pin the value under the cursor"),
    ("Arrow keys", "move the cell or pin that is inspected, otherwise the atlas or map"),
    ("Ctrl+C", "copy the value that is inspected"),
    ("Enter", "in the prompt: generate"),
    ("Tab", "go from widget to widget; Ctrl+Tab from panel to panel"),
)
_PAGES = {
    "Program": (
        "A language model runs here, GPT-2, on this machine's GPU. Compute passes do the whole of it: embeddings, "
        "attention, the layers between, the choice of the next token. What they write stays on the GPU, and the atlas "
        "is painted from the same memory, so that every number on screen is the number that was computed.",
        "The window never waits for the model and the model never waits for the window: a run is cut into slices that "
        "fit between two frames.",
    ),
    "Atlas": (
        "640 by 360 cells, read like a page: first the tokens of the context as the model sees them, then block by "
        "block the parameters and what they make of those tokens, at the end a cell for every few words of the "
        "vocabulary.",
        "Gold is positive, blue is negative; the brighter, the larger within its tensor. Most tensors have more values "
        "than cells: with `pool` a cell shows the largest magnitude that it stands for, with `point` the first value. "
        "Red is a value that is no finite number; enlarged, NaN is a cross, infinity a plus or a minus.",
        "Point at a cell and the inspector tells the value to its last digit, read from the GPU.",
    ),
    "Map": (
        "Every value of the model as a cell of its own: a tensor is a rectangle of its rows and columns, the parts of "
        "the model follow each other as a token passes them, and a weight is above the activation that it makes. From "
        "far a pixel shows the most extreme value under it, near enough the cells have their numbers.",
        "A place is typed as h.3.mlp.c_fc.weight[12, 70], as h.3.attn.pattern[2, 7, 3] (head, query, key), or as the "
        "name of a tensor or a part alone.",
    ),
    "Sampling": (
        "The last layer gives every token of the vocabulary a score, its logit. Divided by the temperature and put "
        "through a softmax, scores become probabilities; top-k, top-p and min-p then cut the unlikely ones off, and "
        "one of what is left is drawn. Temperature 0 takes the likeliest token without a draw.",
        "The same seed draws the same tokens on the same adapter. A click on another candidate forks the run: both "
        "branches stay in the list of runs.",
    ),
}


def draw(state: State) -> None:
    """Whichever of the two is open."""
    modal(state, "keys", "Keys", _keys, ImVec2(44, 36))
    modal(state, "about", "About", _about, ImVec2(44, 26))


def _keys(_state: State) -> None:
    for menu in MENUS:
        _heading(panel_titles.title(menu))
        _table(menu, [(action.chord, action.title) for action in ACTIONS if action.menu == menu and action.chord])
    _heading("Mouse and keyboard")
    _table("hands", list(_HANDS))


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
    imgui.text(f"Atlas viewer {__version__}")
    if state.model is not None:
        dim(f"{state.model.name} on {state.model.adapter}")
    if not imgui.begin_tab_bar("pages"):
        return
    for page, paragraphs in _PAGES.items():
        opened, _ = imgui.begin_tab_item(f"{panel_titles.title(page)}###{page}")
        widget_tracking.note(f"page:{page}")
        if opened:
            for paragraph in paragraphs:
                imgui.spacing()
                imgui.text_wrapped(paragraph)
            imgui.end_tab_item()
    imgui.end_tab_bar()
