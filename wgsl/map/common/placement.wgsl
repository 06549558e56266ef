// A tensor on Map; see compute/views/map_placement.py. Lengths are in units of the plane.
struct Placement {
    x: u32,
    y: u32,
    rows: u32,         // values, as the next three
    columns: u32,
    band_rows: u32,
    band_columns: u32,
    across: u32,       // bands side by side
    pitch_x: u32,
    pitch_y: u32,
    over: u32,         // bands per row of the tensor
    filled_rows: u32,    // rows of a band filled so far
    filled_columns: u32, // columns filled so far
    shift_x: u32,        // log2 of a cell's width
    shift_y: u32,        // log2 of a cell's height
    padding0: u32,
    padding1: u32,
}
struct Location {
    inside: bool, // false in a gap or outside the tensor
    filled: bool, // has a value now
    row: u32,
    column: u32,
}
{% include "common/quotient.wgsl" %}

// The row and column at the unit (x, y), relative to the placement's corner.
fn locate(placement: Placement, x: u32, y: u32) -> Location {
    let slot = quotient(x, placement.pitch_x);
    let line = quotient(y, placement.pitch_y);
    let inside_x = (x - slot * placement.pitch_x) >> placement.shift_x;
    let inside_y = (y - line * placement.pitch_y) >> placement.shift_y;
    let band = line * placement.across + slot;
    let turn = quotient(band, placement.over);
    let row = turn * placement.band_rows + inside_y;
    let column = (band - turn * placement.over) * placement.band_columns + inside_x;
    let inside = slot < placement.across && inside_x < placement.band_columns && inside_y < placement.band_rows
        && row < placement.rows && column < placement.columns;
    let filled = inside && inside_y < placement.filled_rows && column < placement.filled_columns;
    return Location(inside, filled, row, column);
}
