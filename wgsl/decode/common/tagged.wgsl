{# Words that carry a tag in their lowest bit, in the buffer `handed`. Needs `stall` and PATIENCE. #}
{% macro functions() %}
// `value` with the tag instead of its lowest bit, rounded to even before. The value without the tag is the same for
// either tag; infinities and NaN stay what they are.
fn rounded(value: f32) -> f32 {
    let bits = bitcast<u32>(value);
    let finite = (bits & 0x7f800000u) != 0x7f800000u;
    return bitcast<f32>((bits + select(0u, (bits >> 1u) & 1u, finite)) & 0xfffffffeu);
}
fn hand_on(place: u32, rounded_value: f32, tag: u32) {
    atomicStore(&handed[place], bitcast<u32>(rounded_value) | tag);
}
// A number below `count`, different for neighboring workgroups, which then poll different words.
fn number_of(workgroup: u32, count: u32) -> u32 { return workgroup * 37u % count; }
fn untagged(word: u32) -> f32 { return bitcast<f32>(word & 0xfffffffeu); }
{% endmacro %}

{# Registers {name}{i}: the words at `places` (expressions), once all threads of the team have all of theirs with `tag`. #}
{% macro take(name, places, tag) %}
{% for place in places %}
    var {{ name }}{{ loop.index0 }}: u32;
{% endfor %}
    for (var polls = 0u; ; polls++) {
{% for place in places %}
        {{ name }}{{ loop.index0 }} = atomicLoad(&handed[{{ place }}]);
{% endfor %}
        let missing = {% for place in places %}{{ " | " if not loop.first }}({{ name }}{{ loop.index0 }} ^ {{ tag }}){% endfor %};
        if (subgroupAll((missing & 1u) == 0u)) { break; }
        if (polls > PATIENCE) {
            atomicStore(&stall[0], 1u);
            break;
        }
    }
{% endmacro %}
