// Copies values of one tensor to the results of a formula. With `storage` "values" it reads float32 from a buffer,
// otherwise a shard of a weight. Grid: (threads of values).
{% import "common/weight.wgsl" as w %}
struct Params {
    first: u32,  // flat index of the first value in the binding
    stride: u32, // from one value to the next
    count: u32,  // values
    to: u32,     // index of the first result
}
@group(0) @binding(0) var<uniform> params: Params;
{% if storage == "values" %}
@group(0) @binding(1) var<storage, read> values: array<f32>;
fn value_of(index: u32) -> f32 { return values[index]; }
{% else %}
{{ w.declare(storage, dtype, columns, tile, 1) }}
const COLUMNS = {{ columns }}u;
fn value_of(index: u32) -> f32 {
    let column = index % COLUMNS;
    return weight_quad(index / COLUMNS, column / 4u)[column % 4u];
}
{% endif %}
@group(0) @binding(2) var<storage, read_write> results: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < params.count) { results[params.to + id.x] = value_of(params.first + id.x * params.stride); }
}
