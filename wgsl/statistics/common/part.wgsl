{# Measures values into one record. Each thread calls `begin(thread)`, then `tally(&mine, ...)` for each value with its
   own `Tally`, then `finish(...)`. #}
struct Tally {
    nans: u32,
    positive_infinities: u32,
    negative_infinities: u32,
    zeros: u32,
    lowest: u32,
    highest: u32,
    first_bad: u32,
    sum: f32,
    finite: u32,
    first: vec2f,   // the thread's first value, and the same times TINY
    shifted: vec2f, // sums of differences from `first`, which is near the mean or contributes as much to the variance
    squares: vec2f, // sums of their squares
}
var<workgroup> moments: array<Moments, THREADS>;
var<workgroup> shared_words: array<atomic<u32>, 72>;
var<workgroup> sums: array<f32, THREADS>;

fn begin(thread: u32) {
    for (var word = thread; word < 72u; word += THREADS) { atomicStore(&shared_words[word], 0u); }
    workgroupBarrier();
}

fn tally(mine: ptr<function, Tally>, value: f32, index: u32) {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    if (magnitude >= 0x7f800000u) {
        (*mine).first_bad = max((*mine).first_bad, ~index);
        if (magnitude > 0x7f800000u) {
            (*mine).nans += 1u;
        } else if (bits == magnitude) {
            (*mine).positive_infinities += 1u;
        } else {
            (*mine).negative_infinities += 1u;
        }
        return;
    }
    (*mine).zeros += select(0u, 1u, magnitude == 0u);
    let key = sort_key(value);
    (*mine).lowest = max((*mine).lowest, ~key);
    (*mine).highest = max((*mine).highest, key);
    (*mine).sum += value * SCALE;
    let pair = vec2f(value, value * TINY);
    if ((*mine).finite == 0u) { (*mine).first = pair; }
    (*mine).finite += 1u;
    let shifted = pair - (*mine).first;
    (*mine).shifted += shifted;
    (*mine).squares += shifted * shifted;
{% if histograms %}
    atomicAdd(&shared_words[BINS + histogram_bin(bits)], 1u);
{% endif %}
}

fn finish(mine: Tally, thread: u32, record: u32) {
    if (mine.nans > 0u) { atomicAdd(&shared_words[NANS], mine.nans); }
    if (mine.positive_infinities > 0u) { atomicAdd(&shared_words[POSITIVE_INFINITIES], mine.positive_infinities); }
    if (mine.negative_infinities > 0u) { atomicAdd(&shared_words[NEGATIVE_INFINITIES], mine.negative_infinities); }
    if (mine.zeros > 0u) { atomicAdd(&shared_words[ZEROS], mine.zeros); }
    atomicMax(&shared_words[LOWEST], mine.lowest);
    atomicMax(&shared_words[HIGHEST], mine.highest);
    atomicMax(&shared_words[FIRST_BAD], mine.first_bad);
    sums[thread] = mine.sum;
    let count = f32(mine.finite);
    let mean = mine.shifted / max(count, 1.0);
    moments[thread] = Moments(count, mine.first + mean, max(mine.squares - mean * mine.shifted, vec2f(0.0)));
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) {
            sums[thread] += sums[thread + half];
            moments[thread] = joined_moments(moments[thread], moments[thread + half]);
        }
    }
    workgroupBarrier();
    if (thread == 0u) {
        let base = record * WORDS;
        parts[base + COUNT] = bitcast<u32>(moments[0].count);
        for (var i = 0u; i < 2u; i++) {
            parts[base + MEANS + i] = bitcast<u32>(moments[0].means[i]);
            parts[base + SQUARES + i] = bitcast<u32>(moments[0].squares[i]);
        }
    }
    for (var word = thread; word < 72u; word += THREADS) {
        parts[record * WORDS + word] = select(atomicLoad(&shared_words[word]), bitcast<u32>(sums[0]), word == SUM);
    }
}
