// A tensor in a source buffer.
struct Entry {
    offset: u32,  // first value in the source, in elements
    columns: u32,
    rows: u32,    // rows filled so far
    slot: u32,    // index of the tensor in the table of peaks
    first: u32,   // first cell of its span
    cells: u32,   // cells in its span
    blocks: u32,  // 1 when keys of its blocks of 16 values are kept
    padding: u32,
}
