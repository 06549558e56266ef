"""Names by which tours from earlier versions find widgets. Those versions identified a widget by its visible text."""

from __future__ import annotations

from atlas_viewer.ui import widget_tracking
from atlas_viewer.ui.widget_tracking import WidgetRect

# The former text of a menu entry or a column header -> the widget's id.
_IDS = {
    "Generate": "run.generate",
    "Play or pause": "run.play",
    "One token more": "run.step",
    "Take back a token": "run.undo",
    "Stop": "run.stop",
    "Earlier token": "run.previous",
    "Later token": "run.next",
    "Newest token": "run.follow",
    "Run that this one branched from": "runs.parent",
    "First branch of this run": "runs.child",
    "Branch before this one": "runs.previous",
    "Branch after this one": "runs.next",
    "Name this run": "runs.rename",
    "Show everything": "atlas.fit",
    "Zoom in": "atlas.in",
    "Zoom out": "atlas.out",
    "Nothing selected": "atlas.deselect",
    "Pool or point sampling": "atlas.sampling",
    "Next palette": "atlas.palette",
    "Trace on or off": "atlas.trace",
    "Go to Map": "focus.Map",
    "Find a place by its name": "map.place",
    "Jump to the weights that made this value": "map.makers",
    "Back to the place before": "map.back",
    "Forward to the place after": "map.forward",
    "Minimap on or off": "map.minimap",
    "Glow of new rows on or off": "map.glow",
    "Find a token among the logits": "logits.find",
    "Compare with the step before": "logits.before",
    "Compare with nothing": "logits.alone",
    "Go to Distribution": "focus.Distribution",
    "Colour tokens by something else": "tokens.colour",
    "Go to Prompt": "focus.Prompt",
    "Go to Atlas": "focus.Atlas",
    "Go to Generated tokens": "focus.Generated tokens",
    "Go to Logits": "focus.Logits",
    "Go to Tensors": "focus.Tensors",
    "Go to Inspector": "focus.Inspector",
    "Go to Output": "focus.Output",
    "Go to Runs": "focus.Runs",
    "Go to Trace": "focus.Trace",
    "Everything larger": "view.larger",
    "Everything smaller": "view.smaller",
    "Size that follows the window": "view.automatic",
    "Dark or light theme": "view.theme",
    "Reset layout": "view.reset",
    "Open or fetch a model": "app.models",
    "Save a picture of the window": "app.screenshot",
    "Record a session, or end it": "session.record",
    "Record a video of the window, or end it": "session.video",
    "Play or hold the recording": "session.play",
    "Step of the recording before": "session.back",
    "Step of the recording after": "session.on",
    "Go to Session": "focus.Session",
    "Quit": "app.quit",
    "Command palette": "app.palette",
    "List of keys": "app.keys",
    "About": "app.about",
    "token id##head": "token##head",
    "raw logit##head": "logit##head",
    "scaled delta##head": "scaled_delta##head",
    "draw prob.##head": "probability##head",
    "model prob.##head": "model_probability##head",
    "top-p sum##head": "cumulative##head",
    "change##head": "gain##head",
}


# Widgets of panels that earlier versions always showed, and that may now be behind another tab.
_PANELS = {
    "Sampling": ("##preset", "Edit##preset", "##temperature", "##top_k", "##top_p", "##min_p", "##repetition_penalty",
                 "##seed", "New##seed", "New one at each run", "##max_new_tokens", "##context"),
}  # fmt: skip


def tab_of(name: str) -> str | None:
    """The id of the tab that a tour from an earlier version has to click before it can find the widget `name`."""
    identity = name.rpartition("###")[2]
    for panel, widgets in _PANELS.items():
        if identity in widgets and f"tab:{panel}" in widget_tracking.rects:
            return f"tab:{panel}"
    return None


def find(name: str) -> WidgetRect | None:
    """The rectangle of the widget whose id is `name`; `name` may also be the widget's label in an earlier version.

    Such a label ends with the id if the id is something else: `My run##run2`, `Take back a token##run.undo`.
    """
    rects = widget_tracking.rects
    return rects.get(name) or rects.get(_IDS.get(name, "")) or rects.get(name.partition("##")[2])
