// Copies the values shown by the cells of a weight's span into a small buffer. Weights never change, so it runs once.
// Cell i of w cells over n values shows value i if w = n, else value floor(i (n - 1) / max(1, w - 1)).
{% import "common/weight.wgsl" as w %}
{% include "strip/common/index.wgsl" %}
const COLUMNS = {{ columns }}u;
struct Params {
    cells: u32,     // cells of the span
    values: u32,    // values of the tensor
    first_row: u32, // matrix row of the shard's row 0
    rows: u32,      // rows in the shard
    start: u32,     // offset of the span's values in `cells`, in elements
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read_write> cells: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= params.cells) { return; }
    let index = source_index(id.x, params.cells, params.values);
    let row = index / COLUMNS;
    if (row < params.first_row || row - params.first_row >= params.rows) { return; }
    let column = index % COLUMNS;
    cells[params.start + id.x] = weight_quad(row - params.first_row, column / 4u)[column % 4u];
}
