// The second phase of a lens cell: one workgroup per row merges the parts and takes the largest logits, the first of
// equal ones first. Each thread knows the largest key of its blocks of 16 logits; of the block that wins a round, only
// its owner looks for the next key.
//
// Result, in words; floats as bits, sums as natural logarithms:
//  0 log sum of exp(logit), 1 entropy, 2 logits that are not finite, 3 finite logits
//  4 logit of the target, 5 its rank from 0, 6 to 8 see lens/norms, 9 to 11 unused
//  From 12: pairs of token and logit in descending order; NO_TOKEN where there are no more.
{% include "common/numbers.wgsl" %}
{% include "lens/common/aim.wgsl" %}
{% include "lens/common/part.wgsl" %}
const VOCABULARY = {{ vocabulary }}u;
const COLUMNS = {{ columns }}u;
const BLOCK = 16u;
const BLOCKS = {{ (vocabulary + 15) // 16 }}u;
const SLICES = {{ (vocabulary + 1023) // 1024 }}u;
const THREADS = 256u;
const RUNS = 16u; // of 16 threads each
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> parts: array<Part>;
@group(0) @binding(3) var<storage, read_write> block_keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> results: array<u32>;

struct Best {
    key: u32,
    block: u32,
}
var<workgroup> partial: array<Part, 64>;
var<workgroup> best: array<Best, THREADS>;
var<workgroup> best_of_run: array<Best, RUNS>;
var<workgroup> last_token: u32; // taken in the round before

fn better(a: Best, b: Best) -> Best {
    if (b.key > a.key || (b.key == a.key && b.block < a.block)) { return b; }
    return a;
}
fn best_of_thread(row: u32, thread: u32) -> Best {
    var found = Best(0u, NO_TOKEN);
    for (var block = thread; block < BLOCKS; block += THREADS) {
        found = better(found, Best(block_keys[row * BLOCKS + block], block));
    }
    return found;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let row = group.x;
    let base = row * (HEADER + 2u * aim.top);
    if (thread < 64u) {
        var mine = empty_part();
        for (var i = thread; i < SLICES; i += 64u) { mine = merged(mine, parts[row * SLICES + i]); }
        partial[thread] = mine;
    }
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) {
        let all = partial[0];
        results[base] = bitcast<u32>(all.highest + log(all.total));
        results[base + 1u] = bitcast<u32>(log(all.total) + all.spread / all.total);
        results[base + 2u] = all.nonfinite;
        results[base + 3u] = VOCABULARY - all.nonfinite;
        results[base + 4u] = bitcast<u32>(logits[row * COLUMNS + min(aim.wanted, VOCABULARY - 1u)]);
        results[base + 5u] = all.before;
    }

    best[thread] = best_of_thread(row, thread);
    var last_key = 0u;
    for (var i = 0u; i < aim.top; i++) {
        workgroupBarrier();
        if (thread < RUNS) {
            var found = best[thread * RUNS];
            for (var j = 1u; j < RUNS; j++) { found = better(found, best[thread * RUNS + j]); }
            best_of_run[thread] = found;
        }
        workgroupBarrier();
        var winner = best_of_run[0];
        for (var j = 1u; j < RUNS; j++) { winner = better(winner, best_of_run[j]); }
        if (winner.key != 0u && winner.block % THREADS == thread) {
            // The first token of the block with this key that was not taken before, and the next largest key.
            var token = NO_TOKEN;
            var next = 0u;
            for (var j = 0u; j < BLOCK; j++) {
                let candidate = winner.block * BLOCK + j;
                if (candidate >= VOCABULARY) { break; }
                let logit = logits[row * COLUMNS + candidate];
                let key = select(0u, sort_key(logit), is_finite(logit));
                if (key == winner.key && token == NO_TOKEN && (key != last_key || candidate > last_token)) {
                    token = candidate;
                } else if (key < winner.key || (key == winner.key && token != NO_TOKEN)) {
                    next = max(next, key);
                }
            }
            results[base + HEADER + 2u * i] = token;
            results[base + HEADER + 2u * i + 1u] = bitcast<u32>(key_value(winner.key));
            block_keys[row * BLOCKS + winner.block] = next;
            best[thread] = best_of_thread(row, thread);
            last_token = token;
        }
        if (winner.key == 0u && thread == 0u) { results[base + HEADER + 2u * i] = NO_TOKEN; }
        last_key = winner.key;
    }
}
