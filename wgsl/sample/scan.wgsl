// First phase of the draw: each thread handles 4 logits, each workgroup a slice of the vocabulary.
// Draws by the Gumbel-max trick: the argmax of logit / T plus noise is a sample from softmax(logits / T). No sorting.
// keyed: applies the repetition penalty and stores each token's sort key; filtered: leaves the draw to sample/race.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "sample/common/random.wgsl" %}
{% include "sample/common/sampling.wgsl" %}
const VOCABULARY = {{ vocabulary }}u;
const BLOCK_THREADS = 4u; // threads of a block of 16 logits
const THREADS = 256u;
const SLICE = 1024u;
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> sampling: Sampling;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> slices: array<Slice>;
@group(0) @binding(4) var<storage, read_write> block_keys: array<u32>; // sort key of each block's largest finite logit
{% if keyed %}
@group(0) @binding(5) var<storage, read> history: array<u32>;
@group(0) @binding(6) var<storage, read_write> keys: array<u32>; // of the penalized logits; 0: not finite
{% endif %}
{% if filtered %}
@group(0) @binding(7) var<storage, read_write> histograms: array<u32>;
{% endif %}

var<workgroup> partial: array<Slice, THREADS>;
var<workgroup> block_part: array<u32, THREADS>;
{% if keyed %}
var<workgroup> seen: array<atomic<u32>, SLICE / 32u>; // a bit for each token of the slice
{% include "sample/common/repetition_penalty.wgsl" %}
{% endif %}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if (state.done != 0u) { return; }
{% if filtered %}
    for (var i = id.x; i < {{ histogram_words }}u; i += {{ slices }}u * THREADS) { histograms[i] = 0u; }
{% endif %}
{% if keyed %}
    if (thread < SLICE / 32u) { atomicStore(&seen[thread], 0u); }
    workgroupBarrier();
    if (sampling.repetition_penalty != 1.0) {
        for (var row = thread; row <= state.last_row; row += THREADS) {
            let token = history[state.context_start + row];
            if (token / SLICE == group.x) { atomicOr(&seen[token % SLICE / 32u], 1u << (token % 32u)); }
        }
        workgroupBarrier();
    }
{% endif %}
    var mine = empty_slice();
    var key = 0u;
{% for i in range(4) %}
    let token{{ i }} = id.x * 4u + {{ i }}u;
    let logit{{ i }} = logits[min(token{{ i }}, VOCABULARY - 1u)];
    let inside{{ i }} = token{{ i }} < VOCABULARY;
    let finite{{ i }} = inside{{ i }} && is_finite(logit{{ i }});
    mine.nonfinite += u32(inside{{ i }} && !finite{{ i }});
    var drawn{{ i }} = logit{{ i }};
{% if keyed %}
    if ((atomicLoad(&seen[token{{ i }} % SLICE / 32u]) >> (token{{ i }} % 32u) & 1u) != 0u) {
        drawn{{ i }} = penalized(logit{{ i }}, sampling.repetition_penalty);
    }
    if (inside{{ i }}) { keys[token{{ i }}] = select(0u, sort_key(drawn{{ i }}), finite{{ i }}); }
{% endif %}
    if (finite{{ i }}) {
        key = max(key, sort_key(logit{{ i }}));
        mine.highest = max(mine.highest, logit{{ i }});
        mine.drawn_highest = max(mine.drawn_highest, drawn{{ i }});
{% if not filtered %}
        var race = drawn{{ i }} * sampling.inverse_temperature;
        if (sampling.greedy == 0u) {
            race += gumbel(threefry(vec2u(sampling.seed, state.step), vec2u(token{{ i }}, 0u)).x);
        }
        // Tokens are visited in order, so the lowest id wins a tie.
        if (mine.kept == 0u || race > mine.race) {
            mine.race = race;
            mine.token = token{{ i }};
        }
        mine.kept += 1u;
{% endif %}
    }
{% endfor %}
{% for i in range(4) %}
    if (finite{{ i }}) {
        let share{{ i }} = exp(logit{{ i }} - mine.highest);
        mine.total += share{{ i }};
        mine.spread += share{{ i }} * (mine.highest - logit{{ i }});
        mine.drawn_total += exp((drawn{{ i }} - mine.drawn_highest) * sampling.inverse_temperature);
    }
{% endfor %}
    block_part[thread] = key;
    partial[thread] = mine;
    workgroupBarrier();
    if (thread % BLOCK_THREADS == 0u && id.x * 4u < VOCABULARY) {
        block_keys[id.x / BLOCK_THREADS] =
            max(max(key, block_part[thread + 1u]), max(block_part[thread + 2u], block_part[thread + 3u]));
    }
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { slices[group.x] = partial[0]; }
}
