// Last phase of the draw: one workgroup merges the slices, appends the token to the history, writes the header of the
// result block (see sample/report) and advances the state to the next row, so that the next token needs the same
// commands. keyed: sort keys exist, with the repetition penalty applied; filtered: sample/race has cut the vocabulary.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "sample/common/sampling.wgsl" %}
const RING = {{ ring }}u;
const STRIDE = {{ stride }}u; // words of a result block
const SLICES = {{ slices }}u;
const THREADS = 64u;
@group(0) @binding(0) var<storage, read_write> state: State;
@group(0) @binding(1) var<storage, read> slices: array<Slice>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> history: array<u32>;
@group(0) @binding(4) var<storage, read_write> result: array<u32>;
@group(0) @binding(5) var<uniform> sampling: Sampling;
{% if keyed %}
@group(0) @binding(6) var<storage, read> keys: array<u32>;
{% endif %}
{% if filtered %}
@group(0) @binding(7) var<storage, read> border: array<u32, 2>; // see sample/race
{% endif %}

var<workgroup> partial: array<Slice, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    var mine = empty_slice();
    for (var i = thread; i < SLICES; i += THREADS) { mine = merged(mine, slices[i]); }
    partial[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    workgroupBarrier();
    if (thread != 0u || state.done != 0u) { return; }
    let all = partial[0];
    state.slot = state.step % RING;
    let base = state.slot * STRIDE;
    result[base + 0u] = all.token;
    result[base + 2u] = bitcast<u32>(all.highest);
    result[base + 3u] = bitcast<u32>(all.highest + log(all.total));
    result[base + 4u] = bitcast<u32>(log(all.drawn_total));
    result[base + 5u] = all.nonfinite;
    result[base + 6u] = all.kept;
    result[base + 7u] = state.step;
    if (all.kept == 0u) {
        state.done = 1u;
        return;
    }
    let logit = logits[all.token];
    result[base + 1u] = bitcast<u32>(logit);
    result[base + 10u] = bitcast<u32>(all.drawn_highest);
    result[base + 11u] = {{ "bitcast<u32>(key_value(keys[all.token]))" if keyed else "bitcast<u32>(logit)" }};
    result[base + 12u] = {{ "border[0]" if filtered else "0u" }};
    result[base + 13u] = {{ "border[1]" if filtered else "0xffffffffu" }};
    result[base + 14u] = bitcast<u32>(sampling.repetition_penalty);
    result[base + 15u] = bitcast<u32>(log(all.total) + all.spread / all.total);
    history[state.total] = all.token;
    state.total += 1u;
    state.step += 1u;
    state.first_row = state.last_row + 1u;
    state.last_row += 1u;
    state.rows = 1u;
    if (all.token == sampling.end_of_text) { state.done = 1u; }
}
