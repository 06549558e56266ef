// A copy of a weight in float32 with its edits. Rows of a vector: one. Grid: (quads of columns in 64s, rows), where a
// thread takes every row that is a multiple of the grid's height further on.
{% import "common/weight.wgsl" as w %}
{% import "common/edits.wgsl" as e %}
const QUADS = {{ columns // 4 }}u;
struct Params {
    point: u32,
    rows: u32,
    first: u32,  // row of the weight
    source: u32, // row of the source's shard
    result: u32, // row of the result's shard
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
{% if storage == "texture" %}
@group(0) @binding(2) var result: texture_storage_2d<rgba32float, write>;
{% else %}
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
{% endif %}
{{ e.declare(3, 4) }}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    if (id.x >= QUADS) { return; }
    for (var row = id.y; row < params.rows; row += groups.y) {
        var value = weight_quad(params.source + row, id.x);
        for (var i = 0u; i < 4u; i++) {
            value[i] = edited(params.point, params.first + row, id.x * 4u + i, value[i], true);
        }
        let to = params.result + row;
{% if storage == "texture" %}
        textureStore(result, vec2u(to % {{ result_tile }}u, to / {{ result_tile }}u * QUADS + id.x), value);
{% else %}
        result[to * QUADS + id.x] = value;
{% endif %}
    }
}
