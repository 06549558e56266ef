"""Facts about the run, the model and the adapter."""

from __future__ import annotations

from collections.abc import Sequence

from imgui_bundle import ImVec2, ImVec4, imgui

from atlas_viewer.state.pace import BINS, SPAN_S, TimeGraph
from atlas_viewer.state.quoting import percent
from atlas_viewer.state.runs import Run
from atlas_viewer.state.state import ModelSummary, State, end_of_text_rank
from atlas_viewer.ui import theme

from .plots import bars
from .widgets import dim, quoted, tooltip, wrapped

NAME = "Run status"

_LABELS = 5.6  # ems
_GRAPH = 2.2  # height in ems
_FRAME_TIP = "Time from one frame to the next while the window draws frames"
_TOKEN_TIP = "Time from one token to the next; of tokens that arrived in one frame, the mean"
_GRAPH_TIP = (
    f"The last {SPAN_S:.0f} seconds, newest on the right. Each bar is the longest time in {SPAN_S / BINS:.3g} s."
    "\nFull height: {top} ms; longer bars are cut and have another color"
)
_LISTED = 24  # prompt tokens in the tooltip
_ENDINGS = {
    "length": "done",
    "stopped": "stopped",
    "paused": "paused",
    "nonfinite": "ended: no finite logit",
}


def draw(state: State) -> None:
    """Draw a table of labels and values."""
    flags = imgui.TableFlags_.sizing_fixed_fit
    if not imgui.begin_table("facts", 2, flags):
        return
    imgui.table_setup_column("what", imgui.TableColumnFlags_.width_fixed, theme.em(_LABELS))
    imgui.table_setup_column("value", imgui.TableColumnFlags_.width_stretch)
    if state.run:
        _writing(state, state.run)
    if state.live and not state.loading:
        _fact("Frame", f"{state.fps:.0f} fps, {state.frame_ms:.0f} ms" if state.fps else "idle")
        _times("Frame, ms", state.pace.frames, _FRAME_TIP)
        _times("Token, ms", state.pace.tokens, _TOKEN_TIP)
    if state.run:
        _run(state, state.run)
    if state.model:
        _model(state.model)
        if state.live and state.model.proved:
            color = theme.now.error if state.model.proof_failed else None
            _fact("Self-test", state.model.proved, color, tip="Largest relative error of the kernels against float64")
    elif state.loading:
        _fact("Model", state.loading)
    imgui.end_table()


def _writing(state: State, run: Run) -> None:
    ending = _ENDINGS.get(run.stop_reason or "", run.stop_reason or "done")
    if run.stop_reason == "end_of_text" and run.steps:
        ending = f"ended with {run.steps[-1].text}"
    _fact("Run", ending if run.done else "writing", theme.now.text if run.done else theme.now.accent)
    if state.live:
        _fact("Speed", f"{run.tokens_per_second:.1f} tokens/s" if run.tokens_per_second else "-")


def _run(state: State, run: Run) -> None:
    _fact("Prompt", f"{len(run.prompt_tokens)} tokens", tip=_listing(run.prompt_tokens))
    _fact("Written", f"{len(run.steps)} of {run.options.max_new_tokens} tokens")
    last = run.steps[-1] if run.steps else None
    seen = last.context_length if last else min(len(run.prompt_tokens), run.options.context)
    _fact("Context", f"{seen} of {run.options.context} tokens")
    greedy = run.options.temperature == 0
    mode = "greedy" if greedy else f"sampling, T {run.options.temperature:.2f}, seed {run.options.seed}"
    _fact("Mode", mode)
    _fact("Last token", f"{quoted(last.text)}  {last.token}" if last else "-")
    end = state.model.end_of_text if state.model else ModelSummary.end_of_text
    ends = end_of_text_rank(last, end) if last else None
    if ends:
        rank, candidate = ends
        text = f"rank {rank}, {percent(candidate.model_probability).strip()}"
        _fact("End of text", text, tip=f"{end} is among the candidates of the last step")


def _model(model: ModelSummary) -> None:
    _fact("Model", f"{model.name}, {model.weights}")
    _fact("Shape", f"{model.layers} layers, {model.heads} heads, {model.channels} channels")
    _fact("Parameters", f"{model.parameters:,}")
    _fact("Vocabulary", f"{model.vocabulary:,} tokens, {model.positions:,} positions")
    _fact("Adapter", model.adapter)
    _fact("Program", model.program)
    if model.gpu_bytes:
        _fact("GPU memory", f"{model.gpu_bytes / 2**20:,.0f} MiB")


def _times(label: str, graph: TimeGraph | None, tip: str) -> None:
    """A graph of the last seconds, with its numbers below; nothing when there is none."""
    if graph is None:
        return
    imgui.table_next_row()
    imgui.table_next_column()
    dim(label)
    imgui.table_next_column()
    size = ImVec2(imgui.get_content_region_avail().x, theme.em(_GRAPH))
    bars(graph.heights, size)
    tooltip(f"{tip}\n{_GRAPH_TIP.format(top=f'{graph.top:.3g}')}")
    wrapped(f"median {graph.median:.3g}, slowest {graph.slowest:.3g}", theme.now.text)


def _listing(tokens: Sequence[tuple[int, str]]) -> str:
    """Position, id and text of each token; only the beginning of a long list."""
    lines = [f"{position}  {token}  {quoted(text)}" for position, (token, text) in enumerate(tokens[:_LISTED])]
    return "\n".join(lines + (["..."] if len(tokens) > _LISTED else []))


def _fact(label: str, value: str, color: ImVec4 | None = None, tip: str = "") -> None:
    imgui.table_next_row()
    imgui.table_next_column()
    dim(label)
    imgui.table_next_column()
    wrapped(value, color or theme.now.text)
    if tip:
        tooltip(tip)
