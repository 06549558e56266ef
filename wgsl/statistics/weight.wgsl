// Measures parts of one shard of a weight. Grid: (parts); a workgroup measures QUADS * 4 consecutive values.
{% import "common/weight.wgsl" as w %}
{% include "common/numbers.wgsl" %}
{% include "statistics/common/statistics.wgsl" %}
const ROW_QUADS = {{ columns // 4 }}u;
const QUADS = 2048u;
struct Params {
    first_row: u32, // matrix row of the shard's row 0
    rows: u32,      // rows in the shard
    first_part: u32, // index of the shard's first part in `parts`
    slot: u32,      // index of the tensor's record
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read_write> parts: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<u32>;
{% include "statistics/common/part.wgsl" %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    begin(thread);
    var mine = Tally();
    let end = min((group.x + 1u) * QUADS, params.rows * ROW_QUADS);
    for (var quad = group.x * QUADS + thread; quad < end; quad += THREADS) {
        let four = weight_quad(quad / ROW_QUADS, quad % ROW_QUADS);
        let index = (params.first_row * ROW_QUADS + quad) * 4u;
        for (var k = 0u; k < 4u; k++) {
            tally(&mine, four[k], index + k);
            if (index + k < SAMPLE_COUNT) {
                records[params.slot * WORDS + SAMPLES + index + k] = bitcast<u32>(four[k]);
            }
        }
    }
    finish(mine, thread, params.first_part + group.x);
}
