// y[r, o] = sum_k rows[r, k] * weight[e, o, k] + bias[e, o], where r is the row of entry e's point at one position.
// An entry without a matrix copies its row. A team of 8 threads computes an output. Grid: (tiles of 8 outputs, entries,
// positions).
const QUADS = {{ channels // 4 }}u;
const CHANNELS = {{ channels }}u;
const POINTS = {{ points }}u;
const TEAM = 8u;
const NONE = 0xffffffffu;
struct Entry {
    point: u32,
    matrix: u32, // index in `weight` and `bias`; NONE: there is none
}
@group(0) @binding(0) var<storage, read> entries: array<Entry>;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let entry = entries[group.y];
    let row = group.z * POINTS + entry.point;
    let out = group.x * (64u / TEAM) + thread / TEAM;
    let lane = thread % TEAM;
    var sum = 0.0;
    if (entry.matrix != NONE && out < CHANNELS) {
        let start = (entry.matrix * CHANNELS + out) * QUADS;
        for (var quad = lane; quad < QUADS; quad += TEAM) { sum += dot(rows[row * QUADS + quad], weight[start + quad]); }
    }
    partial[thread] = sum;
    workgroupBarrier();
    if (lane != 0u || out >= CHANNELS) { return; }
    var total = 0.0;
    for (var i = 0u; i < TEAM; i++) { total += partial[thread + i]; }
    if (entry.matrix == NONE) {
        y[row * CHANNELS + out] = rows[row * QUADS + out / 4u][out % 4u];
    } else {
        y[row * CHANNELS + out] = total + bias[entry.matrix * CHANNELS + out];
    }
}
