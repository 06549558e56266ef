// Where the pass in flight stands. Written by the host before a pass; all counts in tokens.
struct State {
    context_start: u32, // history index of context row 0
    first_row: u32,    // context row of the first row of this chunk
    rows: u32,         // rows of this chunk
    last_row: u32,     // context row whose logits are wanted
    position: u32,     // absolute position of context row 0
    total: u32,        // tokens in the history: where the next one is written
    step: u32,         // draws made so far in this generation
    slot: u32,         // where in the ring of results the latest draw reports
    done: u32,         // not 0 once the end-of-text token was drawn: later passes do nothing
    padding0: u32,
    padding1: u32,
    padding2: u32,
}
