// The first phase of a lens cell: each thread reads 4 logits of one row, each workgroup a slice of the vocabulary.
// Grid: (slices, rows).
{% include "common/numbers.wgsl" %}
{% include "lens/common/aim.wgsl" %}
{% include "lens/common/part.wgsl" %}
const VOCABULARY = {{ vocabulary }}u;
const COLUMNS = {{ columns }}u; // logits of a row, with the padding of the vocabulary
const BLOCK_THREADS = 4u; // threads of a block of 16 logits
const BLOCKS = {{ (vocabulary + 15) // 16 }}u;
const SLICES = {{ (vocabulary + 1023) // 1024 }}u;
const THREADS = 256u;
@group(0) @binding(0) var<uniform> aim: Aim;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<Part>; // [rows, slices]
@group(0) @binding(3) var<storage, read_write> block_keys: array<u32>; // [rows, blocks]: of the largest finite logit

var<workgroup> partial: array<Part, THREADS>;
var<workgroup> block_part: array<u32, THREADS>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let base = group.y * COLUMNS;
    let first = (group.x * THREADS + thread) * 4u;
    // A target that is not finite has no rank, so that its key does not matter.
    let wanted_key = select(0xffffffffu, sort_key(logits[base + min(aim.wanted, VOCABULARY - 1u)]), aim.wanted < VOCABULARY);
    var mine = empty_part();
    var key = 0u;
{% for i in range(4) %}
    let token{{ i }} = first + {{ i }}u;
    let logit{{ i }} = logits[base + min(token{{ i }}, VOCABULARY - 1u)];
    let inside{{ i }} = token{{ i }} < VOCABULARY;
    let finite{{ i }} = inside{{ i }} && is_finite(logit{{ i }});
    mine.nonfinite += u32(inside{{ i }} && !finite{{ i }});
    if (finite{{ i }}) {
        let key{{ i }} = sort_key(logit{{ i }});
        key = max(key, key{{ i }});
        mine.highest = max(mine.highest, logit{{ i }});
        mine.before += u32(key{{ i }} > wanted_key || (key{{ i }} == wanted_key && token{{ i }} < aim.wanted));
    }
{% endfor %}
{% for i in range(4) %}
    if (finite{{ i }}) {
        let share{{ i }} = exp(logit{{ i }} - mine.highest);
        mine.total += share{{ i }};
        mine.spread += share{{ i }} * (mine.highest - logit{{ i }});
    }
{% endfor %}
    block_part[thread] = key;
    partial[thread] = mine;
    workgroupBarrier();
    if (thread % BLOCK_THREADS == 0u && first < VOCABULARY) {
        block_keys[group.y * BLOCKS + first / 16u] =
            max(max(key, block_part[thread + 1u]), max(block_part[thread + 2u], block_part[thread + 3u]));
    }
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = merged(partial[thread], partial[thread + half]); }
    }
    if (thread == 0u) { parts[group.y * SLICES + group.x] = partial[0]; }
}
