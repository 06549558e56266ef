// Computes the mean of the finite values of one row, 0 when there are none, and the largest distance from it, at least
// 1e-12, which is the row's peak. One workgroup. Map shows logits relative to their mean, because softmax does not
// change with a constant.
{% import "map/common/center.wgsl" as centers %}
{% include "common/numbers.wgsl" %}
const COUNT = {{ count }}u;
const THREADS = 256u;
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> center: array<f32>; // mean and largest distance
@group(0) @binding(2) var<storage, read_write> peaks: array<f32>;
{{ centers.distance() }}

var<workgroup> sums: array<f32, THREADS>;
var<workgroup> counts: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    var count = 0u;
    for (var i = thread; i < COUNT; i += THREADS) {
        let value = values[i];
        if (is_finite(value)) {
            sum += value / f32(COUNT); // divided first, so that the sum of large values stays finite
            count += 1u;
        }
    }
    sums[thread] = sum;
    counts[thread] = count;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            sums[thread] += sums[thread + half];
            counts[thread] += counts[thread + half];
        }
    }
    workgroupBarrier();
    let mean = sums[0] * (f32(COUNT) / f32(max(counts[0], 1u)));
    workgroupBarrier();
    var peak = 1e-12;
    for (var i = thread; i < COUNT; i += THREADS) {
        if (is_finite(values[i])) { peak = max(peak, abs(distance_from(mean, values[i]))); }
    }
    sums[thread] = peak;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { sums[thread] = max(sums[thread], sums[thread + half]); }
    }
    if (thread == 0u) {
        center[0] = mean;
        center[1] = sums[0];
        peaks[{{ slot }}u] = sums[0];
    }
}
