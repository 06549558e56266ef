// Transposes rows of a matrix stored [in, out] into columns of a weight [out, in], bit for bit. Grid: (outputs, words
// or texels of the slab's rows). Each thread writes one word of a buffer or one texel of a texture.
// Values: storage "texture" or "buffer"; dtype "f32", "bf16" or "f16"; tile: texture width in rows of the weight.
{% set values_per_word = 1 if dtype == "f32" else 2 %}
const PER_WORD = {{ values_per_word }}u; // values
struct Params {
    outputs: u32,      // length of a row of the slab
    inputs: u32,       // rows of the slab
    first_input: u32,  // column of the weight for row 0 of the slab
    columns: u32,      // length of a row of the weight
    first_output: u32, // row of the weight for row 0 of this shard
    rows: u32,         // rows of this shard
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slab: array<u32>;
{% if storage == "buffer" %}
@group(0) @binding(2) var<storage, read_write> weight: array<u32>;
{% else %}
@group(0) @binding(2) var weight: texture_storage_2d<{{ "rgba32float" if dtype == "f32" else "rgba32uint" }}, write>;
{% endif %}

// The bits of one value; 0 past the last row, which only the padding of a texel reads.
fn value(input: u32, output: u32) -> u32 {
    if (input >= params.inputs) { return 0u; }
    let at = input * params.outputs + output;
{% if values_per_word == 1 %}
    return slab[at];
{% else %}
    return (slab[at / 2u] >> (16u * (at % 2u))) & 0xffffu;
{% endif %}
}

// The word of the weight that starts with this value.
fn word(input: u32, output: u32) -> u32 {
{% if values_per_word == 1 %}
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
    let input = id.y * PER_WORD;
    if (input >= params.inputs) { return; }
    weight[(id.x * params.columns + params.first_input + input) / PER_WORD] = word(input, output);
{% else %}
    let input = id.y * 4u * PER_WORD;
    if (input >= params.inputs) { return; }
    let texel = vec4u(
        word(input, output), word(input + PER_WORD, output),
        word(input + 2u * PER_WORD, output), word(input + 3u * PER_WORD, output),
    );
    let packs = (params.columns + 4u * PER_WORD - 1u) / (4u * PER_WORD);
    let pack = (params.first_input + input) / (4u * PER_WORD);
    let position = vec2u(id.x % {{ tile }}u, id.x / {{ tile }}u * packs + pack);
    textureStore(weight, position, {{ "bitcast<vec4f>(texel)" if dtype == "f32" else "texel" }});
{% endif %}
}
