{# The columns of an activation that belong to attention heads, in quads; see `Heads` in compute/models/operations.py.
   reader: declares `NAME(row, head, quad)`. columns: of the activation; first: column of head 0; step: from a head's
   first column to the next head's. #}
{% macro reader(name, binding, columns, first, step) %}
@group(0) @binding({{ binding }}) var<storage, read> {{ name }}_rows: array<vec4f>;
fn {{ name }}(row: u32, head: u32, quad: u32) -> vec4f {
    return {{ name }}_rows[row * {{ columns // 4 }}u + {{ first // 4 }}u + head * {{ step // 4 }}u + quad];
}
{% endmacro %}
