// y[r, c] = {{ factor }} * x[r, c]. Grid: (quads of columns, rows).
{% include "common/state.wgsl" %}
const COLUMNS = {{ columns }}u;
const QUADS = COLUMNS / 4u;
struct Params {
    offset: u32, // offset of the result in the activation buffer, in elements
}
@group(0) @binding(0) var<storage, read> state: State;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
{% if trace %}
@group(0) @binding(4) var<storage, read_write> activations: array<f32>;
{% endif %}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (state.done != 0u) { return; }
    if (id.x >= QUADS || id.y >= state.rows) { return; }
    let at = id.y * QUADS + id.x;
    let value = f32({{ factor }}) * x[at];
    y[at] = value;
{% if trace %}
    let kept = params.offset + (state.first_row + id.y) * COLUMNS + id.x * 4u;
    for (var i = 0u; i < 4u; i++) { activations[kept + i] = value[i]; }
{% endif %}
}
