// Turns rows of a matrix stored [in, out] into columns of a weight [out, in], bit for bit. Grid: (outputs, words or
// texels of the slab's rows); one thread writes one word of a buffer or one texel of a texture.
// Values: storage "texture" or "buffer"; dtype "f32", "bf16" or "f16"; tile: texture width in rows of the weight.
{% set each = 1 if dtype == "f32" else 2 %}
const EACH = {{ each }}u; // values a word
struct Params {
    outputs: u32,      // values of a row of the slab
    inputs: u32,       // rows of the slab
    first_input: u32,  // column of the weight that row 0 of the slab becomes, in values
    columns: u32,      // values of a row of the weight
    first_output: u32, // row of the weight that row 0 of this piece is
    rows: u32,         // rows of this piece
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slab: array<u32>;
{% if storage == "buffer" %}
@group(0) @binding(2) var<storage, read_write> weight: array<u32>;
{% else %}
@group(0) @binding(2) var weight: texture_storage_2d<{{ "rgba32float" if dtype == "f32" else "rgba32uint" }}, write>;
{% endif %}

// The bits of one value; 0 past the last row, which only the padding of a texel asks for.
fn value(input: u32, output: u32) -> u32 {
    if (input >= params.inputs) { return 0u; }
    let at = input * params.outputs + output;
{% if each == 1 %}
    return slab[at];
{% else %}
    return (slab[at / 2u] >> (16u * (at % 2u))) & 0xffffu;
{% endif %}
}

// The word of the weight that begins with this value.
fn word(input: u32, output: u32) -> u32 {
{% if each == 1 %}
    return value(input, output);
{% else %}
    return value(input, output) | (value(input + 1u, output) << 16u);
{% endif %}
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= params.rows) { return; }
    let output = params.first_output + id.x;
{% if storage == "buffer" %}
    let input = id.y * EACH;
    if (input >= params.inputs) { return; }
    weight[(id.x * params.columns + params.first_input + input) / EACH] = word(input, output);
{% else %}
    let input = id.y * 4u * EACH;
    if (input >= params.inputs) { return; }
    let texel = vec4u(
        word(input, output), word(input + EACH, output), word(input + 2u * EACH, output), word(input + 3u * EACH, output)
    );
    let packs = (params.columns + 4u * EACH - 1u) / (4u * EACH);
    let pack = (params.first_input + input) / (4u * EACH);
    let place = vec2u(id.x % {{ tile }}u, id.x / {{ tile }}u * packs + pack);
    textureStore(weight, place, {{ "bitcast<vec4f>(texel)" if dtype == "f32" else "texel" }});
{% endif %}
}
