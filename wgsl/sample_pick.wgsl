// Second phase of the draw: one workgroup merges the slices, appends the token to the history and writes the head of
// the result block.
{% include "common/state.wgsl" %}
{% include "common/sampling.wgsl" %}
const SLICES = {{ slices }}u;
const THREADS = 64u;
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<storage, read> slices: array<Slice>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> history: array<u32>;
@group(0) @binding(4) var<storage, read_write> result: array<u32>;

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
    if (thread != 0u) { return; }
    let all = partial[0];
    result[0] = all.token;
    result[2] = bitcast<u32>(all.highest);
    result[3] = bitcast<u32>(all.highest + log(all.total));
    result[4] = bitcast<u32>(all.scaled_highest + log(all.scaled_total));
    result[5] = all.nonfinite;
    result[6] = all.finite;
    result[7] = state.step;
    if (all.finite == 0u) { return; }
    result[1] = bitcast<u32>(logits[all.token]);
    history[state.total] = all.token;
}
