// Reduces the peaks of all tensors to one, which it stores after them. One workgroup.
const TENSORS = {{ tensors }}u;
const THREADS = 64u;
@group(0) @binding(0) var<storage, read_write> peaks: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    var peak = 1e-12;
    for (var i = thread; i < TENSORS; i += THREADS) { peak = max(peak, peaks[i]); }
    partial[thread] = peak;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = max(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { peaks[TENSORS] = partial[0]; }
}
