// Finds the largest finite magnitude in each changed row of each tensor of one source.
// Grid: (tensors, rows); one workgroup per row.
{% include "common/numbers.wgsl" %}
{% include "strip/common/table.wgsl" %}
const THREADS = 64u;
struct Params {
    first_row: u32, // first row that changed
    context: u32,   // rows per tensor in the table of row peaks
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> row_peaks: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let entry = entries[group.x];
    let row = params.first_row + group.y;
    var peak = 0.0;
    if (row < entry.rows) {
        let base = entry.offset + row * entry.columns;
        for (var c = thread; c < entry.columns; c += THREADS) {
            let value = values[base + c];
            if (is_finite(value)) { peak = max(peak, abs(value)); }
        }
    }
    partial[thread] = peak;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = max(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u && row < entry.rows) { row_peaks[entry.slot * params.context + row] = partial[0]; }
}
