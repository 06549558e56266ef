// logits[r, c] = CAP * tanh(logits[r, c] / CAP), in place. Grid: (columns, rows).
{% include "common/state.wgsl" %}
const COLUMNS = {{ columns }}u;
const CAP = f32({{ cap }});
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
{% include "common/soft_cap.wgsl" %}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u || id.x >= COLUMNS) { return; }
    let at = id.y * COLUMNS + id.x;
    logits[at] = soft_cap(logits[at], CAP);
}
