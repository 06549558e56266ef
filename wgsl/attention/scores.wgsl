// Scores of one head for a rectangle of queries and keys, later keys included, and the largest magnitudes so far.
// edited: whether attention edited scores; they are those that it used, -inf where an edit removed a key.
{% import "common/edits.wgsl" as e %}
// Grid: (keys / 64, queries).
const CONTEXT = {{ context }}u;
const THREADS = 64u;
struct Params {
    first_row: u32,
    first_key: u32,
    keys: u32, // end of the keys
    head: u32,
}
{% include "common/numbers.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> scores: array<f32>; // [context, context]
// Bits of the largest finite magnitude of all scores, and of those whose key is not later than the query.
@group(0) @binding(3) var<storage, read_write> peaks: array<atomic<u32>, 2>;

{% if edited %}
{% include "common/state.wgsl" %}
@group(0) @binding(4) var<storage, read> state: State;
@group(0) @binding(5) var<uniform> points: vec4u; // x: of scores, y: of the pattern
{{ e.declare(6, 7) }}
{% endif %}
{% set query_binding, key_binding = 1, 8 %}
{% include "attention/common/query.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row = params.first_row + group.y;
    load_query(row, params.head, thread);
    let key = params.first_key + group.x * THREADS + thread;
    if (key >= params.keys) { return; }
{% if edited %}
    let start = edits[0] + state.context_start;
    let score = edited_at(points.x, start + row, params.head, start + key, key_score(key, params.head), false);
{% else %}
    let score = key_score(key, params.head);
{% endif %}
    scores[row * CONTEXT + key] = score;
    if (is_finite(score)) {
        atomicMax(&peaks[0], bitcast<u32>(abs(score)));
        if (key <= row) { atomicMax(&peaks[1], bitcast<u32>(abs(score))); }
    }
}
