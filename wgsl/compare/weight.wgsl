// Rows of a weight in float32, or with `minus` what is there already minus these. Rows of a vector: one.
// Grid: (quads of columns in 64s, rows), where a thread takes every row that is a multiple of the grid's height further on.
{% import "common/weight.wgsl" as w %}
const QUADS = {{ columns // 4 }}u;
struct Params {
    rows: u32,
    source: u32, // row of the source's shard
    result: u32, // row of the result's shard
    relative: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read_write> result: array<vec4u>; // bits of float32
{% if minus %}
{% include "compare/common/difference.wgsl" %}
{% endif %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    if (id.x >= QUADS) { return; }
    for (var row = id.y; row < params.rows; row += groups.y) {
        let value = bitcast<vec4u>(weight_quad(params.source + row, id.x));
        let at = (params.result + row) * QUADS + id.x;
{% if minus %}
        let before = result[at];
        for (var i = 0u; i < 4u; i++) { result[at][i] = difference_of(before[i], value[i], params.relative != 0u); }
{% else %}
        result[at] = value;
{% endif %}
    }
}
