// Combines the parts of each tensor into its record. Grid: (tensors); one workgroup per tensor.
{% include "statistics/common/statistics.wgsl" %}
{% include "statistics/common/entry.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> parts: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<u32>;

var<workgroup> sums: array<f32, THREADS>;
var<workgroup> moments: array<Moments, THREADS>;

fn pair_at(base: u32, of_parts: bool) -> vec2f {
    if (of_parts) { return bitcast<vec2f>(vec2u(parts[base], parts[base + 1u])); }
    return bitcast<vec2f>(vec2u(records[base], records[base + 1u]));
}
fn moments_at(base: u32, of_parts: bool) -> Moments {
    let count = bitcast<f32>(select(records[base + COUNT], parts[base + COUNT], of_parts));
    return Moments(count, pair_at(base + MEANS, of_parts), pair_at(base + SQUARES, of_parts));
}

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
    var own = Moments();
    for (var part = thread; part < params.parts; part += THREADS) {
        sum += bitcast<f32>(parts[base + part * WORDS + SUM]);
        own = joined_moments(own, moments_at(base + part * WORDS, true));
    }
    sums[thread] = sum;
    moments[thread] = own;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            sums[thread] += sums[thread + half];
            moments[thread] = joined_moments(moments[thread], moments[thread + half]);
        }
    }
    if (thread == 0u) {
        let before = select(bitcast<f32>(records[record + SUM]), 0.0, params.fresh == 1u);
        records[record + SUM] = bitcast<u32>(before + sums[0]);
        var all = moments[0];
        if (params.fresh == 0u) { all = joined_moments(moments_at(record, false), all); }
        records[record + COUNT] = bitcast<u32>(all.count);
        for (var i = 0u; i < 2u; i++) {
            records[record + MEANS + i] = bitcast<u32>(all.means[i]);
            records[record + SQUARES + i] = bitcast<u32>(all.squares[i]);
        }
    }
}
