// A tensor on the map, see compute/views/map_placement.py. Lengths are in cells.
struct Place {
    x: u32,
    y: u32,
    rows: u32,
    columns: u32,
    band_rows: u32,
    band_columns: u32,
    across: u32,       // bands side by side
    pitch_x: u32,
    pitch_y: u32,
    over: u32,         // bands that a row goes through
    seen_rows: u32,    // rows of a band that hold values now
    seen_columns: u32, // columns that do
}
struct Found {
    inside: bool, // false: a gap, or beyond the end
    seen: bool,   // holds a value now
    row: u32,
    column: u32,
}
// a / b, rounded down, for a below 2^21: integer division is slow where it is done for one thread after the other.
fn quotient(a: u32, b: u32) -> u32 { return u32((f32(a) + 0.5) / f32(b)); }

// What lies at (x, y), counted from the corner of the place.
fn find(place: Place, x: u32, y: u32) -> Found {
    let slot = quotient(x, place.pitch_x);
    let line = quotient(y, place.pitch_y);
    let inside_x = x - slot * place.pitch_x;
    let inside_y = y - line * place.pitch_y;
    let band = line * place.across + slot;
    let turn = quotient(band, place.over);
    let row = turn * place.band_rows + inside_y;
    let column = (band - turn * place.over) * place.band_columns + inside_x;
    let inside = slot < place.across && inside_x < place.band_columns && inside_y < place.band_rows
        && row < place.rows && column < place.columns;
    return Found(inside, inside && inside_y < place.seen_rows && column < place.seen_columns, row, column);
}
