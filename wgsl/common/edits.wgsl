{# The list of edits, see compute/edits/gpu_list.py. `edits` consists of: the index in the text of history word 0; the
   first words of the records and of the values; an unused word; for each edited tensor ("point") the numbers of its
   first edit and of the one after its last; RECORD words per edit; the values.
   Needs bindings for `edits` and `counts`. Kernels that take batches set `edited_sequence` first. #}
{% macro declare(edits_binding, counts_binding) %}
@group(0) @binding({{ edits_binding }}) var<storage, read> edits: array<u32>;
// [0]: attention rows that edits left without a key; [1 + e]: values that edit e has changed.
@group(0) @binding({{ counts_binding }}) var<storage, read_write> counts: array<atomic<u32>>;
const RECORD = 17u;
const NOT_SELECTED = 0xffffffffu;
const EVERY_SEQUENCE = 0xffffffffu;
const MINUS_INFINITY = 0xff800000u;
// The sequence of a batch that the edited row belongs to.
var<private> edited_sequence = 0u;

// Where `number` is in the span first, first + step, ... below end, which is stored in three words from `at` on.
fn span_index(at: u32, number: u32) -> u32 {
    let first = edits[at];
    let step = edits[at + 2u];
    if (number < first || number >= edits[at + 1u] || (number - first) % step != 0u) { return NOT_SELECTED; }
    return (number - first) / step;
}
// `value` after edit `e`, if that selects it.
fn after_edit(e: u32, position: u32, outer: u32, inner: u32, value: f32, counted: bool) -> f32 {
    let record = edits[1] + RECORD * e;
    let sequence = edits[record + 16u];
    if (sequence != EVERY_SEQUENCE && sequence != edited_sequence) { return value; }
    let i = span_index(record + 1u, position);
    let j = span_index(record + 6u, outer);
    let k = span_index(record + 9u, inner);
    if (i == NOT_SELECTED || j == NOT_SELECTED || k == NOT_SELECTED) { return value; }
    let at = edits[2] + edits[record + 12u]
        + i * edits[record + 13u] + j * edits[record + 14u] + k * edits[record + 15u];
    let operand = bitcast<f32>(edits[at]);
    var after = operand;
    if (edits[record] == 1u) { after = value + operand; }
    if (edits[record] == 2u) { after = value * operand; }
    let before_bits = bitcast<u32>(value);
    let after_bits = bitcast<u32>(after);
    // Minus zero equals zero.
    if (counted && before_bits != after_bits && ((before_bits | after_bits) << 1u) != 0u) { atomicAdd(&counts[1u + e], 1u); }
    return after;
}
// The value at [position, column] after all edits of a point.
fn edited(point: u32, position: u32, column: u32, value: f32, counted: bool) -> f32 {
    var result = value;
    for (var e = edits[4u + 2u * point]; e < edits[5u + 2u * point]; e++) {
        let record = edits[1] + RECORD * e;
        let base = edits[record + 4u];
        if (column >= base) {
            let part = edits[record + 5u];
            result = after_edit(e, position, (column - base) / part, (column - base) % part, result, counted);
        }
    }
    return result;
}
// The value at [outer, position, inner] after all edits of a point.
fn edited_at(point: u32, position: u32, outer: u32, inner: u32, value: f32, counted: bool) -> f32 {
    var result = value;
    if (point == NOT_SELECTED) { return result; }
    for (var e = edits[4u + 2u * point]; e < edits[5u + 2u * point]; e++) {
        result = after_edit(e, position, outer, inner, result, counted);
    }
    return result;
}
// Four values from column 4 * quad on.
fn edited4(point: u32, position: u32, quad: u32, value: vec4f, counted: bool) -> vec4f {
    var result = value;
    for (var i = 0u; i < 4u; i++) { result[i] = edited(point, position, quad * 4u + i, value[i], counted); }
    return result;
}
{% endmacro %}
