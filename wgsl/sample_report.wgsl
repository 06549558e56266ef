// The rank of the chosen token and the logits that hold the top candidates, exactly, without sorting the vocabulary:
// the best N logits lie in the N blocks of 16 whose largest logits are best (ties: lower tokens first).
// One workgroup. Result block, in words: 8 of sample_pick; 8: rank; 9: blocks reported; from 16: per block 16 pairs of token and logit bits (token 0xffffffff: none).
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "common/sampling.wgsl" %}
const STRIDE = {{ stride }}u; // words of a result block
const VOCABULARY = {{ vocabulary }}u;
const BLOCK = 16u;
const BLOCKS = {{ (vocabulary + 15) // 16 }}u;
const THREADS = 256u;
const HEADER = 16u;
@group(0) @binding(0) var<uniform> sampling: Sampling;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> block_keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;
@group(0) @binding(4) var<storage, read> state: State;

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> prefix: u32;   // the bits of the bound known so far
var<workgroup> wanted: u32;   // blocks still to be taken among those that share the prefix
var<workgroup> better: atomic<u32>;
var<workgroup> counts: array<u32, THREADS>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    let base = state.slot * STRIDE;
    // Rank: tokens with a larger logit, or an equal one and a lower number, come before.
    let chosen = result[base];
    let chosen_logit = bitcast<f32>(result[base + 1u]);
    let chosen_key = sort_key(chosen_logit);
    let take = min(sampling.top, BLOCKS);
    if (thread == 0u) {
        prefix = 0u;
        wanted = take;
        atomicStore(&better, 0u);
    }
    workgroupBarrier();
    if (result[base + 6u] != 0u) {
        for (var block = thread; block < BLOCKS; block += THREADS) {
            if (block_keys[block] < chosen_key) { continue; }
            for (var token = block * BLOCK; token < min(block * BLOCK + BLOCK, VOCABULARY); token++) {
                let logit = logits[token];
                if (!is_finite(logit)) { continue; }
                let key = sort_key(logit);
                if (key > chosen_key || (key == chosen_key && token < chosen)) { atomicAdd(&better, 1u); }
            }
        }
    }

    // Radix select of the key of the block that is the last to be taken, 8 bits at a time from the top.
    for (var shift = 24u; ; shift -= 8u) {
        atomicStore(&histogram[thread], 0u);
        workgroupBarrier();
        let known = prefix;
        for (var block = thread; block < BLOCKS; block += THREADS) {
            let key = block_keys[block];
            // Shifting by 32 is undefined: in the first round every key has the empty prefix.
            if (shift == 24u || key >> (shift + 8u) == known >> (shift + 8u)) {
                atomicAdd(&histogram[(key >> shift) & 255u], 1u);
            }
        }
        workgroupBarrier();
        if (thread == 0u) {
            var digit = 255u;
            loop {
                let count = atomicLoad(&histogram[digit]);
                if (count >= wanted || digit == 0u) { break; }
                wanted -= count;
                digit -= 1u;
            }
            prefix = known | (digit << shift);
        }
        workgroupBarrier();
        if (shift == 0u) { break; }
    }
    let bound = prefix;
    let equal_wanted = wanted;

    // Each thread owns a run of blocks, so that slots and ties follow the order of the tokens.
    let run = (BLOCKS + THREADS - 1u) / THREADS;
    let first = thread * run;
    let end = min(first + run, BLOCKS);
    var equal = 0u;
    var above = 0u;
    for (var block = first; block < end; block++) {
        let key = block_keys[block];
        if (key > bound) { above += 1u; }
        if (key == bound) { equal += 1u; }
    }
    counts[thread] = above | (equal << 16u);
    workgroupBarrier();
    var equal_before = 0u;
    var above_before = 0u;
    for (var other = 0u; other < thread; other++) {
        above_before += counts[other] & 0xffffu;
        equal_before += counts[other] >> 16u;
    }
    var slot = above_before + min(equal_before, equal_wanted);
    for (var block = first; block < end; block++) {
        let key = block_keys[block];
        var taken = key > bound;
        if (key == bound) {
            taken = equal_before < equal_wanted;
            equal_before += 1u;
        }
        if (!taken) { continue; }
        for (var i = 0u; i < BLOCK; i++) {
            let token = block * BLOCK + i;
            let at = base + HEADER + (slot * BLOCK + i) * 2u;
            let usable = token < VOCABULARY && is_finite(logits[min(token, VOCABULARY - 1u)]);
            result[at] = select(0xffffffffu, token, usable);
            result[at + 1u] = bitcast<u32>(logits[min(token, VOCABULARY - 1u)]);
        }
        slot += 1u;
    }
    if (thread == 0u) {
        result[base + 8u] = atomicLoad(&better) + 1u;
        result[base + 9u] = take;
    }
}
