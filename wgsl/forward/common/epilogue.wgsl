// What a matrix product does with each result. epilogue "none" stores it, "residual" adds it to y, which is the residual
// stream, "gelu" and "relu" store that function of it. When traced, product and result are kept in the activation buffer.
// Uses OUTPUTS, y and state of the shader, and activations and params when traced.
{% if epilogue not in ("none", "residual") %}
{% include "common/" ~ epilogue ~ ".wgsl" %}
{% endif %}
fn store(r: u32, out: u32, product: f32) {
    let at = r * OUTPUTS + out;
{% if epilogue == "residual" %}
    let after = y[at] + product;
{% elif epilogue == "none" %}
    let after = product;
{% else %}
    let after = {{ epilogue }}(product);
{% endif %}
    y[at] = after;
{% if trace %}
    if (r < state.rows) {
        let kept = (state.first_row + r) * OUTPUTS + out;
        activations[params.offset + kept] = product;
{% if epilogue != "none" %}
        activations[params.after_offset + kept] = after;
{% endif %}
    }
{% endif %}
}
