// A record of statistics, the same words for a part of a tensor and for all of it (compute/views/statistics.py reads it).
const WORDS = 80u;
const THREADS = {{ threads }}u; // of a workgroup
const NANS = 0u;
const POSITIVE_INFINITIES = 1u;
const NEGATIVE_INFINITIES = 2u;
const ZEROS = 3u;
const LOWEST = 4u;  // ~ of the smallest sort key, so that 0 is "no value"
const HIGHEST = 5u; // largest sort key
const SUM = 6u;     // float32, of the finite values times SCALE
const FIRST_BAD = 7u; // ~ of the first index that is not finite; 0 is none
const BINS = 8u;    // 64 words
const SAMPLES = 72u; // the first values of the tensor
const SAMPLE_COUNT = 6u;
const SCALE = 2.3283064365386963e-10; // keeps the sum of many large values finite
// 32 octaves of magnitude from 2^-20 on, for each sign; what is nearer to zero is in the innermost, larger in the outermost.
fn histogram_bin(bits: u32) -> u32 {
    let octave = u32(clamp(i32((bits >> 23u) & 255u) - 107, 0, 31));
    return select(32u + octave, 31u - octave, bits > 0x80000000u);
}
