// Combines the parts of each tensor into its record. Grid: (tensors); one workgroup per tensor.
{% include "statistics/common/statistics.wgsl" %}
{% include "statistics/common/entry.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> parts: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<u32>;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let base = group.x * params.parts * WORDS;
    let record = entries[group.x].slot * WORDS;
    for (var word = thread; word < 72u; word += THREADS) {
        if (word == SUM) { continue; }
        var joined = select(records[record + word], 0u, params.fresh == 1u);
        let largest = word == LOWEST || word == HIGHEST || word == FIRST_BAD;
        for (var part = 0u; part < params.parts; part++) {
            let value = parts[base + part * WORDS + word];
            joined = select(joined + value, max(joined, value), largest);
        }
        records[record + word] = joined;
    }
    var sum = 0.0;
    for (var part = thread; part < params.parts; part += THREADS) {
        sum += bitcast<f32>(parts[base + part * WORDS + SUM]);
    }
    sums[thread] = sum;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { sums[thread] += sums[thread + half]; }
    }
    if (thread == 0u) {
        let before = select(bitcast<f32>(records[record + SUM]), 0.0, params.fresh == 1u);
        records[record + SUM] = bitcast<u32>(before + sums[0]);
    }
}
