// The first context row of the sequence that `row` belongs to. The sequences of a batch follow one another in the
// context, all of the same length, and a row attends to rows of its own sequence only.
fn sequence_start(row: u32) -> u32 {
    return row - row % state.sequence;
}
// The number of that sequence in the batch.
fn sequence_of(row: u32) -> u32 {
    return row / state.sequence;
}
