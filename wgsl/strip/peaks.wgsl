// Reduces the peaks of a tensor's rows to the largest finite magnitude of the tensor, at least 1e-12.
// Grid: (tensors); one workgroup per tensor.
{% include "strip/common/table.wgsl" %}
const THREADS = 64u;
struct Params {
    first_row: u32,
    context: u32, // rows per tensor in the table of row peaks
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> row_peaks: array<f32>;
@group(0) @binding(3) var<storage, read_write> peaks: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let entry = entries[group.x];
    var peak = 1e-12;
    for (var row = thread; row < entry.rows; row += THREADS) {
        peak = max(peak, row_peaks[entry.slot * params.context + row]);
    }
    partial[thread] = peak;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = max(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { peaks[entry.slot] = partial[0]; }
}
