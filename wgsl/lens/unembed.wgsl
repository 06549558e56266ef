// y[c] = head[target, c] - head[against, c]: the direction that raises the logit, or the difference. A dispatch for each
// shard of the head's matrix; the first one also clears y.
{% import "common/weight.wgsl" as w %}
{% include "lens/common/token_aim.wgsl" %}
const QUADS = {{ columns // 4 }}u;
struct Params {
    first: u32, // row of the matrix that row 0 of this shard is
    rows: u32,  // rows of this shard
    clear: u32, // 1: y is cleared
}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 2) }}
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

fn in_shard(token: u32) -> bool { return token >= params.first && token - params.first < params.rows; }

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let quad = id.x;
    if (quad >= QUADS) { return; }
    var value = select(y[quad], vec4f(0.0), params.clear == 1u);
    if (in_shard(aim.wanted)) { value += weight_quad(aim.wanted - params.first, quad); }
    if (aim.against != NO_TOKEN && in_shard(aim.against)) { value -= weight_quad(aim.against - params.first, quad); }
    y[quad] = value;
}
