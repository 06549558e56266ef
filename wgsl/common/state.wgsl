// The state of the pass in flight. The host writes it before a pass; counts are in tokens.
struct State {
    context_start: u32, // history index of context row 0
    first_row: u32,     // context row of this chunk's first row
    rows: u32,          // rows in this chunk
    last_row: u32,      // context row whose logits are computed
    position: u32,      // absolute position of context row 0
    total: u32,         // tokens in the history, which is the index of the next one
    step: u32,          // draws so far in this generation
    sequence: u32,      // context rows of each sequence of a batch; ONE_SEQUENCE when all rows are one sequence
    slot: u32,          // index of the latest draw in the ring of results
    done: u32,          // not 0 after the end-of-text token was drawn: later passes do nothing
    padding0: u32,
    padding1: u32,
}
