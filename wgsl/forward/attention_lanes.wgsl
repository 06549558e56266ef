// out[r, h, :] = softmax_t(score of q[r, h] and k[t, g]) v[t, g], as forward/attention_rows without edits, for software
// adapters whose subgroups are runs of at least 8 consecutive threads; see forward/matmul_lanes. The cache is in a
// texture. A workgroup is one subgroup and computes ROWS rows of a head: first a lane per key, all scores and their
// maximum, then a lane per quad of channels, with exponentials passed around by broadcasts. Sums are in the order of the
// threads of forward/attention_rows. Grid: (heads, tiles of ROWS rows).
{% import "common/kv_cache.wgsl" as kv %}
{% import "common/heads.wgsl" as h %}
{% import "common/score.wgsl" as s %}
{% include "forward/common/attention.wgsl" %}
const KEYS = {{ [window, context] | min if window else context }}u; // the most of a row
const LANES = {{ lanes }}u;
const ROWS = {{ rows }}u;
struct Params {
    offset: u32, // of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
{{ h.reader("query_of", 2, query_columns, query_first, query_step) }}
{{ kv.reader("image", 3) }}
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
{% if trace %}
@group(0) @binding(5) var<storage, read_write> activations: array<f32>;
{% endif %}

var<workgroup> scores: array<f32, ROWS * KEYS>; // a thread reads only those that it wrote

{{ s.declare(scale, cap) }}
{% set quads = head_size // 4 %}
{% set all_rows = range(rows) %}
{% set parts = [threads // quads, 8] | min %}
{% set parts = {1: 1, 2: 2, 3: 2}.get(parts, 8 if parts == 8 else 4) %}
{% set vectors = range([threads // lanes, 1] | max) %}
{% set blocks = range((quads + lanes - 1) // lanes) %}
{# The sum of the values NAMEi for i from first on, every step-th below count, in the order of halving. #}
{% macro halved(name, first, step, count) %}
{% if step >= count %}{{ name ~ first }}{% else %}({{ halved(name, first, 2 * step, count) }} + {{ halved(name, first + step, 2 * step, count) }}){% endif %}
{%- endmacro %}
// The first key that the row sees.
fn start_of(row: u32) -> u32 {
    let last = min(row, CONTEXT - 1u);
{% if window %}
    return max(sequence_start(last), max(last + 1u, {{ window }}u) - {{ window }}u);
{% else %}
    return sequence_start(last);
{% endif %}
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.y * ROWS;
    if (state.done != 0u || first >= state.rows) { return; }
    let head = group.x;
    let shared_head = head / GROUP * HEAD_QUADS;
    let row = state.first_row + first;
{% for r in all_rows %}
{% for b in blocks %}
    let query{{ r }}_{{ b }} = query_of(first + {{ r }}u, head, min({{ b * lanes }}u + lane, HEAD_QUADS - 1u));
{% endfor %}
{% endfor %}
    // Rows of a tile mostly begin at the same key. Where they do not, each beginning takes a turn.
    for (var turn = 0u; turn < ROWS; turn++) {
        let start = start_of(row + turn);
        if (turn > 0u) {
            if (start == start_of(row + turn - 1u)) { continue; }
        }
        // Unused rows of a chunk would have keys beyond the context.
{% for r in all_rows %}
        let keys{{ r }} = min(max(min(row + {{ r }}u, CONTEXT - 1u) + 1u, start) - start, KEYS);
        var highest{{ r }} = -3.4e38;
{% endfor %}
        let keys = keys{{ rows - 1 }};

        for (var base = 0u; base < keys; base += LANES) {
            let t = base + lane;
            let key = min(start + t, CONTEXT - 1u);
{% for r in all_rows %}
            var score{{ r }} = 0.0;
{% endfor %}
{% for quad in range(quads) %}
            {
                let k = cached(key, shared_head + {{ quad }}u);
{% for r in all_rows %}
                score{{ r }} += dot(subgroupBroadcast(query{{ r }}_{{ quad // lanes }}, {{ quad % lanes }}u), k);
{% endfor %}
            }
{% endfor %}
{% for r in all_rows %}
            score{{ r }} = score_of(score{{ r }});
            if (t < keys{{ r }}) {
                scores[{{ r }}u * KEYS + t] = score{{ r }};
                highest{{ r }} = max(highest{{ r }}, score{{ r }});
            }
{% endfor %}
        }
{% for r in all_rows %}
        let max{{ r }} = subgroupMax(highest{{ r }});
{% for v in vectors %}
        var total{{ r }}_{{ v }} = 0.0;
{% endfor %}
{% for b in blocks %}
{% for p in range(parts) %}
        var sum{{ r }}_{{ b }}_{{ p }} = vec4f(0.0);
{% endfor %}
{% endfor %}
{% endfor %}

        for (var base = 0u; base < keys; base += LANES) {
            let t = base + lane;
            let vector = base / LANES % {{ vectors | length }}u;
{% for r in all_rows %}
            var e{{ r }} = 0.0;
            if (t < keys{{ r }}) { e{{ r }} = exp(scores[{{ r }}u * KEYS + t] - max{{ r }}); }
{% for v in vectors %}
            total{{ r }}_{{ v }} += select(0.0, e{{ r }}, vector == {{ v }}u);
{% endfor %}
{% endfor %}
{% for i in range(lanes) %}
            {
                let key = min(start + base + {{ i }}u, CONTEXT - 1u);
{% for b in blocks %}
                let value{{ b }} = cached(key, KV_QUADS + shared_head + min({{ b * lanes }}u + lane, HEAD_QUADS - 1u));
{% endfor %}
{% for r in all_rows %}
                {
                    // What a row must not see may be anything, even NaN.
                    let weight = subgroupBroadcast(e{{ r }}, {{ i }}u);
                    let seen = base + {{ i }}u < keys{{ r }};
{% for b in blocks %}
{% set sum = "sum%d_%d_%d" % (r, b, i % parts) %}
                    {{ sum }} = select({{ sum }}, {{ sum }} + weight * value{{ b }}, seen);
{% endfor %}
                }
{% endfor %}
            }
{% endfor %}
        }
{% for r in all_rows %}
        {
            let lane_total = {{ halved("total%d_" % r, 0, 1, vectors | length) }};
{% for i in range(lanes) %}
            let of_lane{{ i }} = subgroupBroadcast(lane_total, {{ i }}u);
{% endfor %}
            let inverse = 1.0 / {{ halved("of_lane", 0, 1, lanes) }};
{% for b in blocks %}
            if ({{ b * lanes }}u + lane < HEAD_QUADS && start_of(row + {{ r }}u) == start) {
                let sum = ({% for p in range(parts) %}{{ " + " if p }}sum{{ r }}_{{ b }}_{{ p }}{% endfor %}) * inverse;
                let at = head * HEAD_QUADS + {{ b * lanes }}u + lane;
                y[(first + {{ r }}u) * COLUMNS / 4u + at] = sum;
{% if trace %}
                if (first + {{ r }}u < state.rows) {
                    let kept = params.offset + (row + {{ r }}u) * COLUMNS + at * 4u;
                    for (var i = 0u; i < 4u; i++) { activations[kept + i] = sum[i]; }
                }
{% endif %}
            }
{% endfor %}
        }
{% endfor %}
    }
}
