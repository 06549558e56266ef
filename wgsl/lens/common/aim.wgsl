// What the lens is asked for. The host writes it before each chunk.
struct Aim {
    first: u32,  // context row of the chunk's first position
    last: u32,   // last context row: positions after it repeat it
    wanted: u32, // the target token; NO_TOKEN: there is none
    top: u32,    // tokens to report for each cell
}
const NO_TOKEN = 0xffffffffu;
const HEADER = 12u; // words of a result before its tokens; a result has HEADER + 2 * top words
