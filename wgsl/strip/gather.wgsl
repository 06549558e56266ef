// Copies the values that the cells of a weight's span show into a small buffer: weights never change, so once is enough.
// Cell i of w cells over n values shows value i if w = n, else floor(i (n - 1) / max(1, w - 1)).
{% import "common/weight.wgsl" as w %}
{% include "strip/common/index.wgsl" %}
const COLUMNS = {{ columns }}u;
struct Params {
    cells: u32,     // cells of the span
    values: u32,    // values of the tensor
    first_row: u32, // row of the matrix that row 0 of this piece is
    rows: u32,      // rows of this piece
    start: u32,     // where the span's values begin in `cells`, in elements
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
