// Finds the most extreme value in each cell's source range within one shard of a weight. Shards run in row order;
// each one after the first combines its result with the previous one. Grid: (cells); one workgroup per cell.
{% import "common/weight.wgsl" as w %}
{% include "strip/common/index.wgsl" %}
{% include "common/extreme.wgsl" %}
const ROW_QUADS = {{ columns // 4 }}u;
const THREADS = 64u;
struct Params {
    cells: u32,     // cells of the span
    values: u32,    // values of the tensor
    first_row: u32, // matrix row of the shard's row 0
    rows: u32,      // rows in the shard
    start: u32,     // offset of the span's values in `cells`, in elements
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read_write> cells: array<u32>; // bits

var<workgroup> keys: array<u32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let range = source_range(group.x, params.cells, params.values);
    let shard_first = params.first_row * ROW_QUADS;
    let first = max(range.x / 4u, shard_first);
    let end = min((range.y + 3u) / 4u, shard_first + params.rows * ROW_QUADS);
    var key = 0u;
    for (var quad = first + thread; quad < end; quad += THREADS) {
        let bits = bitcast<vec4u>(weight_quad(quad / ROW_QUADS - params.first_row, quad % ROW_QUADS));
        key = max(key, range_key4(bits, quad * 4u, range));
    }
    keys[thread] = key;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { keys[thread] = max(keys[thread], keys[thread + half]); }
    }
    if (thread == 0u) {
        let at = params.start + group.x;
        let before = select(0u, extreme_key(cells[at]), params.first_row > 0u);
        cells[at] = extreme_bits(max(keys[0], before));
    }
}
