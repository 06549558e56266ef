// Measures parts of the tensors in one buffer. Grid: (tensors, parts); a workgroup measures every `parts`-th new row.
{% include "common/numbers.wgsl" %}
{% include "statistics/common/statistics.wgsl" %}
{% include "statistics/common/entry.wgsl" %}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> values: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> parts: array<u32>;
@group(0) @binding(4) var<storage, read_write> records: array<u32>;
{% include "statistics/common/part.wgsl" %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let entry = entries[group.x];
    begin(thread);
    var mine = Tally();
    for (var row = params.first + group.y; row < params.rows; row += params.parts) {
        // Each row is summed on its own first, because short sums round less.
        let before = mine.sum;
        mine.sum = 0.0;
        let end = min(entry.values, (row + 1u) * entry.columns);
        for (var i = row * entry.columns + 4u * thread; i < end; i += 4u * THREADS) {
            let four = values[(entry.offset + i) / 4u];
            for (var k = 0u; k < 4u; k++) {
                if (i + k >= end) { break; }
                tally(&mine, four[k], i + k);
                if (i + k < SAMPLE_COUNT) { records[entry.slot * WORDS + SAMPLES + i + k] = bitcast<u32>(four[k]); }
            }
        }
        mine.sum += before;
    }
    finish(mine, thread, group.x * params.parts + group.y);
}
