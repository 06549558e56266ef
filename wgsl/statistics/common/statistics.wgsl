// The words of a record of statistics, for a part of a tensor or all of it. compute/views/statistics.py reads them.
const WORDS = 80u;
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
const SCALE = 2.3283064365386963e-10; // keeps the sum of many large values finite
// The bin of a value: 32 octaves of magnitude from 2^-20 on, for each sign. The innermost bins include smaller
// magnitudes, the outermost larger ones.
fn histogram_bin(bits: u32) -> u32 {
    let octave = u32(clamp(i32((bits >> 23u) & 255u) - 107, 0, 31));
    return select(32u + octave, 31u - octave, bits > 0x80000000u);
}
