// One tensor of a source buffer.
struct Entry {
    offset: u32,  // first value in the source, in elements
    columns: u32,
    rows: u32,    // rows that hold values now
    slot: u32,    // number of the tensor in the table of peaks
    first: u32,   // first cell of its span
    cells: u32,   // cells of its span
    padding0: u32,
    padding1: u32,
}
