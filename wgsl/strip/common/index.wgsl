// The index of the value that cell `cell` shows, in a span of `cells` cells for `values` values.
fn source_index(cell: u32, cells: u32, values: u32) -> u32 {
    if (cells == values) { return cell; }
    // Computed in two parts: for large matrices, cell * (values - 1) overflows 32 bits.
    let steps = max(1u, cells - 1u);
    let whole = (values - 1u) / steps;
    let remainder = (values - 1u) % steps;
    return cell * whole + cell * remainder / steps;
}
// The range of values that the cell represents: the first index and one past the last.
fn source_range(cell: u32, cells: u32, values: u32) -> vec2u {
    let first = source_index(cell, cells, values);
    if (cell + 1u >= cells) { return vec2u(first, values); }
    return vec2u(first, max(source_index(cell + 1u, cells, values), first + 1u));
}
