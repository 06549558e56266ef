struct Params {
    first: u32, // first row that is new
    rows: u32,  // end of the rows
    parts: u32, // records of parts for each tensor
    fresh: u32, // 1: forget what was there, 0: add to it
}
struct Entry {
    offset: u32,  // first value in the source, in elements
    columns: u32, // values of a row
    values: u32,  // no value from this index on
    slot: u32,    // number of the tensor's record
}
