// What the kernels of attention share: sizes, the state, and where sequences begin.
{% include "common/state.wgsl" %}
{% include "forward/common/sequence.wgsl" %}
const COLUMNS = {{ heads * head_size }}u;
const KV_QUADS = {{ kv_heads * head_size // 4 }}u;
const HEAD_QUADS = {{ head_size // 4 }}u;
const GROUP = {{ heads // kv_heads }}u; // heads that share a key-value head
const CONTEXT = {{ context }}u;
