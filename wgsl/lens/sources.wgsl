// results[slot + h * keys + j] = pattern[h, j] * (the value of head h at row j . direction): what head h took from the
// token in row j. Grid: (keys / 64, heads).
{% include "lens/common/token_aim.wgsl" %}
{% import "common/heads.wgsl" as h %}
const HEAD_QUADS = {{ head_size // 4 }}u;
const GROUP = {{ group }}u; // heads that share a value head
const STRIDE = {{ stride }}u; // elements from one head to the next in the pattern
struct Params {
    base: u32, // of the sources in the results
    head: u32, // heads of the layers before
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<uniform> params: Params;
{{ h.reader("value_of", 2, value_columns, value_first, value_step) }}
@group(0) @binding(3) var<storage, read> pattern: array<f32>; // [heads, STRIDE]
@group(0) @binding(4) var<storage, read> direction: array<vec4f>; // [heads, head size]
@group(0) @binding(5) var<storage, read_write> results: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let key = id.x;
    let head = id.y;
    if (key >= aim.keys) { return; }
    var sum = 0.0;
    for (var quad = 0u; quad < HEAD_QUADS; quad++) {
        sum += dot(value_of(key, head / GROUP, quad), direction[head * HEAD_QUADS + quad]);
    }
    results[params.base + (params.head + head) * aim.keys + key] = pattern[head * STRIDE + key] * sum;
}
