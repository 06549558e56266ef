// Statistics of each head over the rows from the second on: the first token can only attend to itself. Grid: heads.
const CONTEXT = {{ context }}u;
const THREADS = 64u;
@group(0) @binding(0) var<uniform> params: vec4u; // x: number of rows
// [heads, context, 2]: entropy in bits, distance, weight of the previous and of the first token; then the weight of the
// token after the latest earlier occurrence of the row's own token, and 1 if there is one.
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> totals: array<vec4f>; // [heads, 2]: means; then mean and count

var<workgroup> sums: array<array<vec4f, 2>, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let head = group.x;
    var mine = array<vec4f, 2>(vec4f(0.0), vec4f(0.0));
    for (var row = 1u + thread; row < params.x; row += THREADS) {
        mine[0] += rows[2u * (head * CONTEXT + row)];
        mine[1] += rows[2u * (head * CONTEXT + row) + 1u];
    }
    sums[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            sums[thread][0] += sums[thread + half][0];
            sums[thread][1] += sums[thread + half][1];
        }
    }
    if (thread == 0u) {
        let count = sums[0][1].y;
        totals[2u * head] = sums[0][0] / max(f32(params.x) - 1.0, 1.0);
        totals[2u * head + 1u] = vec4f(sums[0][1].x / max(count, 1.0), count, 0.0, 0.0);
    }
}
