// The rank of the chosen token and the blocks that contain the top candidates, exactly, without sorting the vocabulary:
// the N largest logits are in the N blocks of 16 with the largest maxima (ties: lower ids first).
// One workgroup, which keeps the keys of the blocks in registers.
//
// Result block, in words; floats as bits, sums as natural logarithms:
//  0 chosen token, 1 its logit, 2 largest logit, 3 log sum of exp(logit)
//  4 log sum of exp((penalized logit - word 10) / T) over the tokens that the filters kept
//  5 logits that are not finite, 6 tokens that could be drawn (0: nothing was drawn), 7 step
//  8 rank of the chosen token, 9 blocks reported (written by this shader, the other words by sample/pick)
// 10 largest penalized logit, 11 penalized logit of the chosen token
// 12 smallest sort key that the filters kept (0: all), 13 last token that they kept with this key
// 14 repetition penalty, 15 entropy
// From 16: 16 pairs of token and logit per block. Bit 31 of a token: a filter removed it; bit 30: the repetition
//    penalty applies to it; all bits set: no token.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "sample/common/sampling.wgsl" %}
const STRIDE = {{ stride }}u; // words of a result block
const VOCABULARY = {{ vocabulary }}u;
const BLOCK = 16u;
{% set blocks = (vocabulary + 15) // 16 %}
{% set blocks_per_thread = (blocks + 255) // 256 %}
const BLOCKS = {{ blocks }}u;
const THREADS = 256u;
const HEADER = 16u;
const LISTED = 512u;
const NONE = 0xffffffffu;
@group(0) @binding(0) var<uniform> sampling: Sampling;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> block_keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;
@group(0) @binding(4) var<storage, read> state: State;
{% if keyed %}
@group(0) @binding(5) var<storage, read> keys: array<u32>; // of the penalized logits
{% endif %}

var<workgroup> histogram: array<atomic<u32>, THREADS>;
var<workgroup> runs: array<u32, 16>; // sums of 16 bins
var<workgroup> found: atomic<u32>;
var<workgroup> found_above: u32;
var<workgroup> listed: atomic<u32>;
var<workgroup> list: array<u32, LISTED>; // blocks
var<workgroup> better: atomic<u32>;

// 1 if `token` ranks before the chosen one: its logit is larger, or equal with a lower id.
fn comes_before(token: u32, chosen: u32, chosen_key: u32) -> u32 {
    let logit = logits[min(token, VOCABULARY - 1u)];
    if (token >= VOCABULARY || !is_finite(logit)) { return 0u; }
    let key = sort_key(logit);
    return u32(key > chosen_key || (key == chosen_key && token < chosen));
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    let base = state.slot * STRIDE;
    let take = min(sampling.top, BLOCKS);
{% for i in range(blocks_per_thread) %}
    let key{{ i }} = select(0u, block_keys[min(thread + {{ 256 * i }}u, BLOCKS - 1u)], thread + {{ 256 * i }}u < BLOCKS);
{% endfor %}

    // Rank: usually few blocks contain a logit as large as the chosen one. They are listed, so that all threads share
    // the work.
    let chosen = result[base];
    let chosen_key = select(NONE, sort_key(bitcast<f32>(result[base + 1u])), result[base + 6u] != 0u);
    if (thread == 0u) {
        atomicStore(&listed, 0u);
        atomicStore(&better, 0u);
    }
    workgroupBarrier();
    var mine = 0u;
{% for i in range(blocks_per_thread) %}
    if (key{{ i }} >= chosen_key) {
        let block = thread + {{ 256 * i }}u;
        let at = atomicAdd(&listed, 1u);
        if (at < LISTED) {
            list[at] = block;
        } else {
            for (var j = 0u; j < BLOCK; j++) { mine += comes_before(block * BLOCK + j, chosen, chosen_key); }
        }
    }
{% endfor %}
    workgroupBarrier();
    let elements = min(atomicLoad(&listed), LISTED) * BLOCK;
    for (var i = thread; i < elements; i += THREADS) {
        mine += comes_before(list[i / BLOCK] * BLOCK + i % BLOCK, chosen, chosen_key);
    }
    if (mine != 0u) { atomicAdd(&better, mine); }

    // Radix select of the key of the last block to take, 8 bits per round from the top.
    var bound = 0u;
    var wanted = take; // blocks still to take among those that share the known bits
    var sharing = 0u;  // blocks that share them
{% for shift in (24, 16, 8, 0) %}
    atomicStore(&histogram[thread], 0u);
    if (thread == 0u) { atomicStore(&found, 0u); }
    workgroupBarrier();
{% for i in range(blocks_per_thread) %}
    if ({{ "thread + %du < BLOCKS" % (256 * i) }}{% if shift < 24 %} && key{{ i }} >> {{ shift + 8 }}u == bound >> {{ shift + 8 }}u{% endif %}) {
        atomicAdd(&histogram[(key{{ i }} >> {{ shift }}u) & 255u], 1u);
    }
{% endfor %}
    workgroupBarrier();
    if (thread < 16u) {
        runs[thread] = {% for i in range(16) %}{{ " + " if i }}atomicLoad(&histogram[thread * 16u + {{ i }}u]){% endfor %};
    }
    workgroupBarrier();
    if (thread < 16u) {
        var above = {% for i in range(1, 16) %}{{ " + " if i > 1 }}select(0u, runs[{{ i }}], thread < {{ i }}u){% endfor %};
{% for i in range(15, -1, -1) %}
        let count{{ i }} = atomicLoad(&histogram[thread * 16u + {{ i }}u]);
        // The largest digit that has enough blocks with it or a larger one.
        if (above < wanted && above + count{{ i }} >= wanted) {
            atomicStore(&found, thread * 16u + {{ i }}u);
            found_above = above;
        }
        above += count{{ i }};
{% endfor %}
    }
    workgroupBarrier();
    bound |= atomicLoad(&found) << {{ shift }}u;
    wanted -= found_above;
    sharing = atomicLoad(&histogram[atomicLoad(&found)]);
    workgroupBarrier();
{% endfor %}

    // Of the blocks with the key `bound`, take the first `wanted`: those below `end`.
    var end = BLOCKS;
    if (sharing != wanted) {
        var low = 0u;
        while (low < end) {
            let middle = (low + end) / 2u; // are the blocks up to it enough?
            if (thread == 0u) { atomicStore(&found, 0u); }
            workgroupBarrier();
{% for i in range(blocks_per_thread) %}
            if (key{{ i }} == bound && thread + {{ 256 * i }}u <= middle) { atomicAdd(&found, 1u); }
{% endfor %}
            workgroupBarrier();
            if (atomicLoad(&found) >= wanted) { end = middle; } else { low = middle + 1u; }
            workgroupBarrier();
        }
        end += 1u;
    }

    if (thread == 0u) { atomicStore(&listed, 0u); }
    workgroupBarrier();
{% for i in range(blocks_per_thread) %}
    {
        let block = thread + {{ 256 * i }}u;
        if (block < BLOCKS && (key{{ i }} > bound || (key{{ i }} == bound && block < end))) {
            list[atomicAdd(&listed, 1u)] = block;
        }
    }
{% endfor %}
    workgroupBarrier();
    for (var i = thread; i < take * BLOCK; i += THREADS) {
        let token = list[i / BLOCK] * BLOCK + i % BLOCK;
        let logit = logits[min(token, VOCABULARY - 1u)];
        var shown = select(NONE, token, token < VOCABULARY && is_finite(logit));
{% if keyed %}
        if (shown != NONE) {
            let key = keys[token];
            let border = result[base + 12u];
            let cut = key < border || (key == border && token > result[base + 13u]);
            shown |= select(0u, 0x40000000u, key != sort_key(logit)) | select(0u, 0x80000000u, cut);
        }
{% endif %}
        result[base + HEADER + 2u * i] = shown;
        result[base + HEADER + 2u * i + 1u] = bitcast<u32>(logit);
    }
    if (thread == 0u) {
        result[base + 8u] = atomicLoad(&better) + 1u;
        result[base + 9u] = take;
    }
}
