// One level of the search for a filter's border: resolves the digit of the previous level, then counts the next digit
// of the keys that share the known digits. Each thread handles 4 keys, each workgroup a slice of the vocabulary.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "sample/common/sampling.wgsl" %}
{% include "sample/common/select.wgsl" %}
@group(0) @binding(6) var<storage, read> slices: array<Slice>;

var<workgroup> low: array<atomic<u32>, BINS>;
var<workgroup> high: array<atomic<u32>, BINS>;

fn count(at: u32, amount: vec2u) {
    let old = atomicAdd(&low[at], amount.x);
    let carry = u32(old > 0xffffffffu - amount.x);
    if (amount.y + carry != 0u) { atomicAdd(&high[at], amount.y + carry); }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if (state.done != 0u) { return; }
    let level = params.level;
    atomicStore(&low[thread], 0u);
    atomicStore(&high[thread], 0u);
    var now: Level;
    if (params.start != 0u) { now = started(thread); } else { now = resolved(level - 1u, thread); }
    let shift = 24u - 8u * (level % 4u);
    // A shift by 32 is undefined. On a filter's first level, no digit is known, so every key is counted.
    let all = level % 4u == 0u;
    let known = now.known >> (shift + 7u) >> 1u;
{% for i in range(4) %}
    {
        let token = id.x * 4u + {{ i }}u;
        let key = select(0u, keys[min(token, VOCABULARY - 1u)], token < VOCABULARY);
        if (key > now.bound && (all || key >> (shift + 7u) >> 1u == known)) {
            count((key >> shift) & 255u, counted(level, key, now.highest));
        }
    }
{% endfor %}
    if (id.x == 0u) {
        levels[level] = now;
        // The previous filter may have kept only some of the tokens with its border key.
        if (now.bound != 0u && (all || now.bound >> (shift + 7u) >> 1u == known)) {
            let unit = counted(level, now.bound, now.highest);
            count((now.bound >> shift) & 255u, add(multiply(now.ties, unit.x), vec2u(0u, now.ties * unit.y)));
        }
    }
    workgroupBarrier();
    let amount = vec2u(atomicLoad(&low[thread]), atomicLoad(&high[thread]));
    let at = level * 2u * BINS + thread;
    var carry = 0u;
    if (amount.x != 0u) { carry = u32(atomicAdd(&histograms[at], amount.x) > 0xffffffffu - amount.x); }
    if (amount.y + carry != 0u) { atomicAdd(&histograms[at + BINS], amount.y + carry); }
}
