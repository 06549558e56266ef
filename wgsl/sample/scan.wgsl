// First phase of the draw: each thread handles 4 logits, each workgroup a slice of the vocabulary.
// Draws by the Gumbel-max trick: the argmax of logit / T plus noise is a sample from softmax(logits / T). No sorting.
// lanes: 0, or the threads of a subgroup, for software adapters. There a workgroup is one subgroup that computes the parts
// of all THREADS threads in turn and merges them in the same order: a barrier costs as much as the work between barriers.
// keyed: applies the repetition penalty and stores each token's sort key; filtered: leaves the draw to sample/race.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "sample/common/random.wgsl" %}
{% include "sample/common/sampling.wgsl" %}
const VOCABULARY = {{ vocabulary }}u;
const BLOCK_THREADS = 4u; // threads of a block of 16 logits
const THREADS = 256u;
const SLICE = 1024u;
const WIDTH = {{ lanes or 256 }}u; // threads of the workgroup
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

var<workgroup> partial: array<Slice, WIDTH>;
{% if not lanes %}
var<workgroup> block_part: array<u32, WIDTH>;
{% endif %}
{% if keyed %}
var<workgroup> seen: array<atomic<u32>, SLICE / 32u>; // a bit for each token of the slice
{% include "sample/common/repetition_penalty.wgsl" %}
{% endif %}

{% set levels = {8: 5, 16: 4, 32: 3, 64: 2}.get(lanes, 0) %}
{# The part of the thread whose first logit is `first`, as `mine`, and the sort key of the largest, as `key`. #}
{% macro part() %}
    var mine = empty_slice();
    var key = 0u;
{% for i in range(4) %}
    let token{{ i }} = first + {{ i }}u;
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
{% endmacro %}
{# The merged parts of 2^level vectors of threads, as `merged<level>`, in the order of halving the distance of threads. #}
{% macro parts(level) %}
{% if level == 0 %}
    {
        let vector = {% for k in range(1, levels + 1) %}{{ " + " if k > 1 }}half{{ k }} * {{ 2 ** (levels - k) }}u{% endfor %};
        let first = (group.x * THREADS + vector * WIDTH + thread) * 4u;
{{ part() }}
        merged0 = mine;
        var block_key = 0u;
{% for b in range(lanes // 4) %}
        block_key = select(block_key, max(
            max(subgroupBroadcast(key, {{ 4 * b }}u), subgroupBroadcast(key, {{ 4 * b + 1 }}u)),
            max(subgroupBroadcast(key, {{ 4 * b + 2 }}u), subgroupBroadcast(key, {{ 4 * b + 3 }}u)),
        ), thread / BLOCK_THREADS == {{ b }}u);
{% endfor %}
        if (thread % BLOCK_THREADS == 0u && first < VOCABULARY) { block_keys[first / 4u / BLOCK_THREADS] = block_key; }
    }
{% else %}
    for (var half{{ level }} = 0u; half{{ level }} < 2u; half{{ level }}++) {
{{ parts(level - 1) }}
        if (half{{ level }} == 0u) {
            merged{{ level }} = merged{{ level - 1 }};
        } else {
            merged{{ level }} = merged(merged{{ level }}, merged{{ level - 1 }});
        }
    }
{% endif %}
{% endmacro %}
@compute @workgroup_size({{ lanes or 256 }})
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if (state.done != 0u) { return; }
{% if filtered %}
    for (var i = id.x; i < {{ histogram_words }}u; i += {{ slices }}u * WIDTH) { histograms[i] = 0u; }
{% endif %}
{% if keyed %}
    for (var i = thread; i < SLICE / 32u; i += WIDTH) { atomicStore(&seen[i], 0u); }
    workgroupBarrier();
    if (sampling.repetition_penalty != 1.0) {
        for (var row = thread; row <= state.last_row; row += WIDTH) {
            let token = history[state.context_start + row];
            if (token / SLICE == group.x) { atomicOr(&seen[token % SLICE / 32u], 1u << (token % 32u)); }
        }
        workgroupBarrier();
    }
{% endif %}
{% if lanes %}
{% for level in range(levels + 1) %}
    var merged{{ level }}: Slice;
{% endfor %}
{{ parts(levels) }}
    partial[thread] = merged{{ levels }};
{% else %}
    let first = id.x * 4u;
{{ part() }}
    block_part[thread] = key;
    partial[thread] = mine;
    workgroupBarrier();
    if (thread % BLOCK_THREADS == 0u && first < VOCABULARY) {
        block_keys[id.x / BLOCK_THREADS] =
            max(max(key, block_part[thread + 1u]), max(block_part[thread + 2u], block_part[thread + 3u]));
    }
{% endif %}
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { slices[group.x] = partial[0]; }
}
