// One tensor of a source buffer.
struct Entry {
    offset: u32,  // first value in the source, in elements
    columns: u32,
    rows: u32,    // rows that hold values now
    slot: u32,    // number of the tensor in the table of peaks
    first: u32,   // first cell of its span
    cells: u32,   // cells of its span
    blocks: u32,  // 1: keys of its blocks of 16 values are kept
    padding: u32,
}
