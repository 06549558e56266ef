// The words of a record of statistics, for a part of a tensor or all of it. compute/views/statistics.py reads them.
const WORDS = 84u;
const THREADS = {{ threads }}u; // per workgroup
const NANS = 0u;
const POSITIVE_INFINITIES = 1u;
const NEGATIVE_INFINITIES = 2u;
const ZEROS = 3u;
const LOWEST = 4u;  // bitwise complement of the smallest sort key, so that 0 means "no value"
const HIGHEST = 5u; // largest sort key
const SUM = 6u;     // float32 sum of the finite values times SCALE
const FIRST_BAD = 7u; // bitwise complement of the first non-finite value's index; 0 for none
const BINS = 8u;    // 64 words
const SAMPLES = 72u; // the tensor's first values
const SAMPLE_COUNT = 6u;
// Moments of the finite values, float32. Squares of float32 values need more than the range of float32, so the mean and
// the sum of squared differences from it are kept twice: of the values as they are, and of the values times TINY.
const COUNT = 78u;
const MEANS = 79u;   // 2 words
const SQUARES = 81u; // 2 words
const TINY = 8.271806125530277e-25; // 2^-80
const SCALE = 2.3283064365386963e-10; // keeps the sum of many large values finite
// The bin of a value: 32 octaves of magnitude from 2^-20 on, for each sign. The innermost bins include smaller
// magnitudes, the outermost larger ones.
fn histogram_bin(bits: u32) -> u32 {
    let octave = u32(clamp(i32((bits >> 23u) & 255u) - 107, 0, 31));
    return select(32u + octave, 31u - octave, bits > 0x80000000u);
}
// Each pair: of the values, and of the values times TINY.
struct Moments {
    count: f32,
    means: vec2f,
    squares: vec2f, // sums of squared differences from the mean
}
// The moments of two sets of values together, by Chan, Golub and LeVeque. Equal to `a` when `b` is empty.
fn joined_moments(a: Moments, b: Moments) -> Moments {
    if (b.count == 0.0) { return a; }
    if (a.count == 0.0) { return b; }
    let count = a.count + b.count;
    let apart = b.means - a.means;
    let share = b.count / count;
    return Moments(count, a.means + apart * share, a.squares + b.squares + apart * apart * (a.count * share));
}
