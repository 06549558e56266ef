// First phase of the draw: a thread takes 4 logits, a workgroup a slice of the vocabulary.
// Draws by the Gumbel-max trick: argmax of logit / T plus noise is a sample of softmax(logits / T), without sorting.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "common/random.wgsl" %}
{% include "common/sampling.wgsl" %}
const VOCABULARY = {{ vocabulary }}u;
const BLOCK_THREADS = 4u; // threads of a block of 16 logits
const THREADS = 256u;
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> sampling: Sampling;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> slices: array<Slice>;
@group(0) @binding(4) var<storage, read_write> block_keys: array<u32>; // sort key of each block's largest finite logit

var<workgroup> partial: array<Slice, THREADS>;
var<workgroup> keys: array<u32, THREADS>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if (state.done != 0u) { return; }
    var mine = empty_slice();
    var key = 0u;
{% for i in range(4) %}
    let token{{ i }} = id.x * 4u + {{ i }}u;
    let logit{{ i }} = logits[min(token{{ i }}, VOCABULARY - 1u)];
    let inside{{ i }} = token{{ i }} < VOCABULARY;
    let finite{{ i }} = inside{{ i }} && is_finite(logit{{ i }});
    mine.nonfinite += u32(inside{{ i }} && !finite{{ i }});
    if (finite{{ i }}) {
        key = max(key, sort_key(logit{{ i }}));
        mine.highest = max(mine.highest, logit{{ i }});
        var race = logit{{ i }} * sampling.inverse_temperature;
        if (sampling.greedy == 0u) {
            race += gumbel(threefry(vec2u(sampling.seed, state.step), vec2u(token{{ i }}, 0u)).x);
        }
        // Tokens come in order: the lowest wins a tie.
        if (mine.finite == 0u || race > mine.race) {
            mine.race = race;
            mine.token = token{{ i }};
        }
        mine.finite = 1u;
    }
{% endfor %}
    // Without a finite logit it stays what it was: scaled it would overflow, and the sums would become NaN.
    if (mine.finite != 0u) { mine.scaled_highest = mine.highest * sampling.inverse_temperature; }
{% for i in range(4) %}
    if (finite{{ i }}) {
        mine.total += exp(logit{{ i }} - mine.highest);
        mine.scaled_total += exp((logit{{ i }} - mine.highest) * sampling.inverse_temperature);
    }
{% endfor %}
    keys[thread] = key;
    partial[thread] = mine;
    workgroupBarrier();
    if (thread % BLOCK_THREADS == 0u && id.x * 4u < VOCABULARY) {
        block_keys[id.x / BLOCK_THREADS] = max(max(key, keys[thread + 1u]), max(keys[thread + 2u], keys[thread + 3u]));
    }
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { slices[group.x] = partial[0]; }
}
