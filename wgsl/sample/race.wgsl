// The draw among the tokens that all filters kept, by the Gumbel-max trick. Each thread handles 4 keys; each workgroup
// handles a slice of the vocabulary and completes its entry in `slices`.
{% include "common/state.wgsl" %}
{% include "common/numbers.wgsl" %}
{% include "sample/common/random.wgsl" %}
{% include "sample/common/sampling.wgsl" %}
{% include "sample/common/select.wgsl" %}
const SLICE = 1024u;
@group(0) @binding(6) var<storage, read_write> slices: array<Slice>;
@group(0) @binding(7) var<storage, read_write> border: array<u32, 2>; // smallest key kept; last token kept with it

struct Entry {
    race: f32,
    token: u32,
    total: f32, // relative to the slice's largest logit
    kept: u32,
}
var<workgroup> partial: array<Entry, THREADS>;
var<workgroup> ties_before: atomic<u32>;
var<workgroup> ties_of: array<u32, THREADS>;

fn joined(a: Entry, b: Entry) -> Entry {
    let b_wins = b.kept > 0u && (a.kept == 0u || b.race > a.race || (b.race == a.race && b.token < a.token));
    return Entry(select(a.race, b.race, b_wins), select(a.token, b.token, b_wins), a.total + b.total, a.kept + b.kept);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(global_invocation_id) id: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    if (state.done != 0u) { return; }
    var now: Level;
    if (params.start != 0u) { now = started(thread); } else { now = resolved(params.level - 1u, thread); }
    if (sampling.min_p != 0u) {
        let least = sort_key(max(now.highest - sampling.drop, -3.4028234e38));
        if (least > now.bound) {
            now.bound = least;
            now.part = 0u;
        }
    }
{% for i in range(4) %}
    let token{{ i }} = id.x * 4u + {{ i }}u;
    let key{{ i }} = select(0u, keys[min(token{{ i }}, VOCABULARY - 1u)], token{{ i }} < VOCABULARY);
    var kept{{ i }} = key{{ i }} >= max(now.bound, 1u);
{% endfor %}
    if (id.x == 0u) {
        border[0] = now.bound;
        if (now.part == 0u) { border[1] = 0xffffffffu; }
    }
    // Rare: the border is between tokens with equal keys. The lowest ids are kept.
    if (now.part != 0u) {
        var mine = 0u;
        for (var token = thread; token < group.x * SLICE; token += THREADS) {
            if (keys[token] == now.bound) { mine += 1u; }
        }
        if (thread == 0u) { atomicStore(&ties_before, 0u); }
        workgroupBarrier();
        if (mine != 0u) { atomicAdd(&ties_before, mine); }
        ties_of[thread] = {% for i in range(4) %}{{ " + " if i }}u32(key{{ i }} == now.bound){% endfor %};
        workgroupBarrier();
        var tie = atomicLoad(&ties_before);
        for (var other = 0u; other < thread; other++) { tie += ties_of[other]; }
{% for i in range(4) %}
        if (key{{ i }} == now.bound) {
            kept{{ i }} = tie < now.ties;
            tie += 1u;
            if (tie == now.ties) { border[1] = token{{ i }}; }
        }
{% endfor %}
    }
    let highest = slices[group.x].drawn_highest;
    var mine = Entry(-3.4e38, OFF, 0.0, 0u);
    // A loop, because usually few tokens are kept, and most threads skip it.
    var left = {% for i in range(4) %}{{ " | " if i }}(u32(kept{{ i }}) << {{ i }}u){% endfor %};
    for (; left != 0u; left &= left - 1u) {
        let token = id.x * 4u + firstTrailingBit(left);
        let drawn = key_value(keys[token]);
        mine.total += exp((drawn - highest) * sampling.inverse_temperature);
        var race = (drawn - now.highest) * sampling.inverse_temperature;
        if (sampling.greedy == 0u) {
            race += gumbel(threefry(vec2u(sampling.seed, state.step), vec2u(token, 0u)).x);
        }
        // Tokens are visited in order, so the lowest id wins a tie.
        if (mine.kept == 0u || race > mine.race) {
            mine.race = race;
            mine.token = token;
        }
        mine.kept += 1u;
    }
    partial[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = joined(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) {
        slices[group.x].drawn_total = partial[0].total;
        slices[group.x].race = partial[0].race;
        slices[group.x].token = partial[0].token;
        slices[group.x].kept = partial[0].kept;
    }
}
