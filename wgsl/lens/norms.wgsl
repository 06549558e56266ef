// The geometry of the residual stream: for each row its length, the length of what it adds to the point before, and the
// cosine of the angle between it and the last point. One workgroup per row, which writes words 6 to 8 of its result.
const QUADS = {{ channels // 4 }}u;
const POINTS = {{ points }}u;
const THREADS = 64u;
{% include "lens/common/aim.wgsl" %}
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;

var<workgroup> partial: array<vec4f, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row = group.x;
    let point = row % POINTS;
    let final_row = row - point + POINTS - 1u;
    var sums = vec4f(0.0); // of squares, of squares of the difference, of products with the last point, of its squares
    for (var quad = thread; quad < QUADS; quad += THREADS) {
        let x = rows[row * QUADS + quad];
        let before = select(vec4f(0.0), rows[(row - min(point, 1u)) * QUADS + quad], point > 0u);
        let end = rows[final_row * QUADS + quad];
        let added = x - before;
        sums += vec4f(dot(x, x), dot(added, added), dot(x, end), dot(end, end));
    }
    partial[thread] = sums;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] += partial[thread + half]; }
    }
    if (thread != 0u) { return; }
    let total = partial[0];
    let base = row * (HEADER + 2u * aim.top);
    results[base + 6u] = bitcast<u32>(sqrt(total.x));
    results[base + 7u] = bitcast<u32>(sqrt(total.y));
    results[base + 8u] = bitcast<u32>(total.z / (sqrt(total.x) * sqrt(total.w)));
}
