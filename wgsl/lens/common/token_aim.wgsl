// What an attribution is of. The host writes it before the dispatches.
struct Aim {
    row: u32,     // context row whose logit is split
    keys: u32,    // rows that it attends to: row + 1
    wanted: u32,  // the target token
    against: u32, // the token whose logit is subtracted; NO_TOKEN: none
}
const NO_TOKEN = 0xffffffffu;
