// Measures parts of one shard of a weight. Grid: (parts); a workgroup measures QUADS * 4 consecutive values.
{% import "common/values.wgsl" as values %}
{% include "common/quotient.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "statistics/common/statistics.wgsl" %}
const QUADS = 2048u;
struct Params {
    first_row: u32, // matrix row of the shard's row 0
    rows: u32,      // rows in the shard
    first_part: u32, // index of the shard's first part in `parts`
    slot: u32,      // index of the tensor's record
    row_quads: u32, // quads of values per row
    packs: u32,     // packs per row, see common/values.wgsl
    tile: u32,      // width of a weight texture, in matrix rows
    padding: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{{ values.declare(storage, dtype, "params.row_quads * 4u", 1) }}
@group(0) @binding(2) var<storage, read_write> parts: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<u32>;
{% include "statistics/common/part.wgsl" %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    begin(thread);
    var mine = Tally();
    let end = min((group.x + 1u) * QUADS, params.rows * params.row_quads);
    let start = group.x * QUADS + thread;
    var row = start / params.row_quads;
    var across = start % params.row_quads;
    for (var quad = start; quad < end; quad += THREADS) {
        let four = weight_quad(row, across);
        let index = (params.first_row * params.row_quads + quad) * 4u;
        for (var k = 0u; k < 4u; k++) {
            tally(&mine, four[k], index + k);
            if (index + k < SAMPLE_COUNT) {
                records[params.slot * WORDS + SAMPLES + index + k] = bitcast<u32>(four[k]);
            }
        }
        let turns = quotient(across + THREADS, params.row_quads);
        row += turns;
        across = across + THREADS - turns * params.row_quads;
    }
    finish(mine, thread, params.first_part + group.x);
}
