// Collects what a panel shows about one query and one key. Grid: context / 64.
const CONTEXT = {{ context }}u;
@group(0) @binding(0) var<uniform> params: vec4u; // x: query, y: key
@group(0) @binding(1) var<storage, read> scores: array<f32>; // [context, context]
@group(0) @binding(2) var<storage, read> weights: array<f32>; // [context, context]
@group(0) @binding(3) var<storage, read> peaks: array<f32, 2>; // see scores.wgsl
// Scores and weights of the query's row, scores and weights of the key's column, then the peaks.
@group(0) @binding(4) var<storage, read_write> line: array<f32>; // [4 * context + 4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread: vec3u) {
    let t = thread.x;
    if (t < 2u) { line[4u * CONTEXT + t] = peaks[t]; }
    if (t >= CONTEXT) { return; }
    line[t] = scores[params.x * CONTEXT + t];
    line[CONTEXT + t] = weights[params.x * CONTEXT + t];
    line[2u * CONTEXT + t] = scores[t * CONTEXT + params.y];
    line[3u * CONTEXT + t] = weights[t * CONTEXT + params.y];
}
