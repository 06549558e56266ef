// The value that cell `cell` of a span of `cells` cells over `values` values shows.
fn source_index(cell: u32, cells: u32, values: u32) -> u32 {
    if (cells == values) { return cell; }
    // In two parts, since cell * (values - 1) does not fit 32 bits for large matrices.
    let steps = max(1u, cells - 1u);
    let whole = (values - 1u) / steps;
    let rest = (values - 1u) % steps;
    return cell * whole + cell * rest / steps;
}
// First value that the cell stands for, and the end of its range.
fn source_range(cell: u32, cells: u32, values: u32) -> vec2u {
    let first = source_index(cell, cells, values);
    if (cell + 1u >= cells) { return vec2u(first, values); }
    return vec2u(first, max(source_index(cell + 1u, cells, values), first + 1u));
}
