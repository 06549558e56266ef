// Copies one value of one piece of a weight to its place.
{% import "common/weight.wgsl" as w %}
struct Params {
    row: u32, // of the piece
    column: u32,
    place: u32, // in `found`
    padding: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
{{ w.declare(storage, dtype, columns, tile, 1) }}
@group(0) @binding(2) var<storage, read_write> found: array<u32>;

@compute @workgroup_size(1)
fn main() {
    found[params.place] = bitcast<u32>(weight_quad(params.row, params.column / 4u)[params.column % 4u]);
}
