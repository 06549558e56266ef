// The border at which a filter cuts the vocabulary, found by radix select over sort keys: sample/digit resolves 8 bits
// per dispatch, sample/race the last ones. Tokens are ordered by descending key, equal keys by id; every filter keeps
// a prefix of that order: the tokens with less than `limit` before them. Top-k counts tokens. Top-p counts mass,
// exp((x - highest) / T) in 64-bit fixed point, so that sums are exact and independent of the order of addition.
const VOCABULARY = {{ vocabulary }}u;
const SLICES = {{ slices }}u;
const THREADS = 256u;
const BINS = 256u;
const FIRST_MASS_LEVEL = 4u; // levels 0 to 3 are top-k's, 4 to 7 top-p's
const OFF = 0xffffffffu;
struct Level {
    known: u32,   // the bits of the border's key found so far
    bound: u32,   // border key of the previous filter; 0: it kept every finite logit
    above: vec2u, // count of the keys whose known bits are larger
    limit: vec2u,
    ties: u32,    // number of kept tokens with the key `bound`
    part: u32,    // 1: not all of them were kept
    highest: f32, // largest penalized logit
    padding: u32,
}
struct Params {
    level: u32, // of this dispatch
    start: u32, // 1: this is the first level
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> sampling: Sampling;
@group(0) @binding(2) var<uniform> params: Params;
@group(0) @binding(3) var<storage, read> keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> levels: array<Level>;
// Counts per level and bin: the low words of a level, then its high words.
@group(0) @binding(5) var<storage, read_write> histograms: array<atomic<u32>>;

var<workgroup> bins: array<vec2u, BINS>;
var<workgroup> runs: array<vec2u, 16>; // sums of 16 bins
var<workgroup> digit: atomic<u32>;
var<workgroup> next_level: Level;
var<workgroup> highest_parts: array<f32, THREADS>;

// -- 64 bits as (low, high)

fn add(a: vec2u, b: vec2u) -> vec2u {
    let low = a.x + b.x;
    return vec2u(low, a.y + b.y + u32(low < a.x));
}
fn subtract(a: vec2u, b: vec2u) -> vec2u { return vec2u(a.x - b.x, a.y - b.y - u32(a.x < b.x)); }
fn less(a: vec2u, b: vec2u) -> bool { return a.y < b.y || (a.y == b.y && a.x < b.x); }
fn multiply(a: u32, b: u32) -> vec2u {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let cross = (a >> 16u) * (b & 0xffffu) + (low >> 16u); // at most 2^32 - 2^16
    let other = (a & 0xffffu) * (b >> 16u) + (cross & 0xffffu);
    return vec2u((other << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (cross >> 16u) + (other >> 16u));
}

// The count of a token: 1, or its mass. The mass of the whole vocabulary fits into 64 bits.
fn counted(level: u32, key: u32, highest: f32) -> vec2u {
    if (level < FIRST_MASS_LEVEL) { return vec2u(1u, 0u); }
    let mass = exp((key_value(key) - highest) * sampling.inverse_temperature) * {{ mass_unit }};
    let high = floor(mass);
    return vec2u(u32((mass - high) * 4294967296.0), u32(high));
}

fn limit_of(level: u32, total: vec2u) -> vec2u {
    if (level < FIRST_MASS_LEVEL) { return select(vec2u(sampling.top_k, 0u), vec2u(OFF, OFF), sampling.top_k == 0u); }
    if (sampling.top_p == OFF) { return vec2u(OFF, OFF); }
    let part = add(multiply(total.y, sampling.top_p), vec2u(multiply(total.x, sampling.top_p).y, 0u));
    return select(part, vec2u(1u, 0u), part.x == 0u && part.y == 0u); // the first token is always kept
}

// The level before any filter.
fn started(thread: u32) -> Level {
    var highest = -3.4028234e38;
    for (var i = thread; i < SLICES; i += THREADS) { highest = max(highest, slices[i].drawn_highest); }
    highest_parts[thread] = highest;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { highest_parts[thread] = max(highest_parts[thread], highest_parts[thread + half]); }
    }
    workgroupBarrier();
    return Level(0u, 0u, vec2u(), vec2u(), 0u, 0u, highest_parts[0], 0u);
}

// Finishes a filter whose border key is known: finds how many tokens with that key are kept. `bin` is the total count of
// these tokens.
fn finished(level: u32, now: Level, bin: vec2u) -> Level {
    var next = Level(0u, now.bound, vec2u(), vec2u(), now.ties, now.part, now.highest, 0u);
    if (level >= FIRST_MASS_LEVEL && sampling.top_p == OFF) { return next; }
    let unit = counted(level, now.known, now.highest);
    let remaining = subtract(now.limit, now.above);
    let share = select(bin, remaining, less(remaining, bin));
    // The smallest number whose product with `unit` is not less than `share`.
    var low = 0u;
    var high = VOCABULARY;
    while (low < high) {
        let middle = (low + high) / 2u;
        let product = add(multiply(middle, unit.x), vec2u(0u, middle * unit.y));
        if (less(product, share)) { low = middle + 1u; } else { high = middle; }
    }
    let product = add(multiply(low, unit.x), vec2u(0u, low * unit.y));
    next.part = u32(less(product, bin) || (now.known == now.bound && now.part != 0u));
    next.bound = now.known;
    next.ties = low;
    return next;
}

// The level after `level`, whose histogram is complete.
fn resolved(level: u32, thread: u32) -> Level {
    var now = levels[level];
    let at = level * 2u * BINS + thread;
    bins[thread] = vec2u(atomicLoad(&histograms[at]), atomicLoad(&histograms[at + BINS]));
    if (thread == 0u) { atomicStore(&digit, BINS); }
    workgroupBarrier();
    if (thread < 16u) {
        var sum = vec2u();
        for (var i = 0u; i < 16u; i++) { sum = add(sum, bins[thread * 16u + i]); }
        runs[thread] = sum;
    }
    workgroupBarrier();
    var my_digit = BINS;
    var my_before = vec2u();
    if (thread < 16u) {
        // Larger digits come first.
        var before = now.above;
        var total = vec2u();
        for (var run = 0u; run < 16u; run++) {
            if (run > thread) { before = add(before, runs[run]); }
            total = add(total, runs[run]);
        }
        if (level % 4u == 0u) { now.limit = limit_of(level, total); }
        for (var i = 15u; i < 16u; i--) { // until it wraps around
            let amount = bins[thread * 16u + i];
            if ((amount.x | amount.y) != 0u && less(before, now.limit)) {
                my_digit = thread * 16u + i;
                my_before = before;
            }
            before = add(before, amount);
        }
        atomicMin(&digit, my_digit);
    }
    workgroupBarrier();
    let found = atomicLoad(&digit); // BINS if no logit is finite; the result is then unused
    if (thread < 16u && found == my_digit && (found < BINS || thread == 0u)) {
        now.above = my_before;
        now.known |= (found % BINS) << (24u - 8u * (level % 4u));
        if (level % 4u == 3u) { now = finished(level, now, bins[found % BINS]); }
        next_level = now;
    }
    workgroupBarrier();
    return next_level;
}
