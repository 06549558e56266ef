// results[slot + h * keys + j] = pattern[h, j] * (the value of head h at row j . direction): what head h took from the
// token in row j. Grid: (keys / 64, heads).
{% include "lens/common/token_aim.wgsl" %}
const CHANNELS = {{ channels }}u;
const HEAD_SIZE = {{ head_size }}u;
const STRIDE = {{ stride }}u; // elements from one head to the next in the pattern
struct Params {
    base: u32, // of the sources in the results
    head: u32, // heads of the layers before
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>; // [context, 3 * channels]
@group(0) @binding(3) var<storage, read> pattern: array<f32>; // [heads, STRIDE]
@group(0) @binding(4) var<storage, read> direction: array<vec4f>; // [channels]
@group(0) @binding(5) var<storage, read_write> results: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let key = id.x;
    let head = id.y;
    if (key >= aim.keys) { return; }
    let start = (key * 3u + 2u) * (CHANNELS / 4u) + head * (HEAD_SIZE / 4u);
    var sum = 0.0;
    for (var quad = 0u; quad < HEAD_SIZE / 4u; quad++) { sum += dot(qkv[start + quad], direction[head * (HEAD_SIZE / 4u) + quad]); }
    results[params.base + (params.head + head) * aim.keys + key] = pattern[head * STRIDE + key] * sum;
}
