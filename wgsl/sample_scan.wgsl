// First phase of the draw: every thread scans a block of 16 logits, every workgroup a slice of the vocabulary.
// Draws by the Gumbel-max trick: argmax of logit / T plus noise is a sample of softmax(logits / T), without sorting.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "common/random.wgsl" %}
{% include "common/sampling.wgsl" %}
const VOCABULARY = {{ vocabulary }}u;
const BLOCK = 16u;
const THREADS = 64u;
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> sampling: Sampling;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> slices: array<Slice>;
@group(0) @binding(4) var<storage, read_write> block_keys: array<u32>; // sort key of each block's largest finite logit

var<workgroup> partial: array<Slice, THREADS>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if (state.done != 0u) { return; }
    var mine = empty_slice();
    let first = id.x * BLOCK;
    var block_key = 0u;
    for (var token = first; token < min(first + BLOCK, VOCABULARY); token++) {
        let logit = logits[token];
        if (!is_finite(logit)) {
            mine.nonfinite += 1u;
            continue;
        }
        block_key = max(block_key, sort_key(logit));
        let scaled = logit * sampling.inverse_temperature;
        var race = scaled;
        if (sampling.greedy == 0u) {
            race += gumbel(threefry(vec2u(sampling.seed, state.step), vec2u(token, 0u)).x);
        }
        mine = merged(mine, Slice(logit, 1.0, scaled, 1.0, race, token, 0u, 1u));
    }
    if (first < VOCABULARY) { block_keys[id.x] = block_key; }
    partial[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    workgroupBarrier();
    if (thread == 0u) { slices[group.x] = partial[0]; }
}
