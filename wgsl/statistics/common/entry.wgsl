struct Params {
    first: u32, // first new row
    rows: u32,  // end of the rows
    parts: u32, // parts per tensor
    fresh: u32, // 1: replace the record, 0: add to it
}
struct Entry {
    offset: u32,  // first value in the source, in elements
    columns: u32, // values per row
    values: u32,  // number of values, if the last row is shorter
    slot: u32,    // index of the tensor's record
}
