{# Macros of decode/layer. A "team", a subgroup of LANES threads, computes rows of a matrix on its own. A lane keeps the
   packs lane, lane + LANES, ... of its rows and the same part of the vector in registers, so that a product needs no
   shared memory and no barrier. Arguments as in decode/common/decode.wgsl. #}
{% macro packed(dtype, inputs) %}{{ 4 if dtype == "f32" or inputs % 8 else 8 }}{% endmacro %}

{% macro weight_type(dtype, inputs) %}
{{- "vec4f" if dtype == "f32" else ("vec4u" if inputs % 8 == 0 else "vec2u") -}}
{% endmacro %}

{# w{r}_{s}: pack s of row `first + r`. Rows past the end repeat the last one and are not stored. #}
{% macro fetch(matrix, dtype, inputs, outputs, lanes, team_rows, first) %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for r in range(team_rows) %}
    let at{{ r }} = min({{ first }} + {{ r }}u, {{ outputs - 1 }}u) * {{ packs }}u + lane;
{% for s in range((packs + lanes - 1) // lanes) %}
{% if (s + 1) * lanes <= packs %}
    let w{{ r }}_{{ s }} = {{ matrix }}[at{{ r }} + {{ s * lanes }}u];
{% else %}
    let w{{ r }}_{{ s }} = {{ matrix }}[min(at{{ r }} + {{ s * lanes }}u, {{ packs * outputs - 1 }}u)];
{% endif %}
{% endfor %}
{% endfor %}
{% endmacro %}

{# v{s}_{h}: this lane's part of the vector `source`. Zero past the end. #}
{% macro gather(source, dtype, inputs, lanes) %}
{% set halves = (packed(dtype, inputs) | int) // 4 %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for s in range((packs + lanes - 1) // lanes) %}
{% for h in range(halves) %}
{% if (s + 1) * lanes <= packs %}
    var v{{ s }}_{{ h }} = {{ source }}[(lane + {{ s * lanes }}u) * {{ halves }}u + {{ h }}u];
{% else %}
    // No branch: after one, a driver may sum over only the lanes that took it.
    var v{{ s }}_{{ h }} = select(
        vec4f(0.0), {{ source }}[min((lane + {{ s * lanes }}u) * {{ halves }}u + {{ h }}u, {{ inputs // 4 - 1 }}u)],
        lane + {{ s * lanes }}u < {{ packs }}u
    );
{% endif %}
{% endfor %}
{% endfor %}
{% endmacro %}

{# a{s}_{h} and b{s}_{h}: this lane's part of a layer norm's scale and shift, loaded before any wait. #}
{% macro norm_fetch(scale, shift, dtype, inputs, lanes) %}
{% set halves = (packed(dtype, inputs) | int) // 4 %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for s in range((packs + lanes - 1) // lanes) %}{% for h in range(halves) %}
    let quad{{ s }}_{{ h }} = min((lane + {{ s * lanes }}u) * {{ halves }}u + {{ h }}u, {{ inputs // 4 - 1 }}u);
    let a{{ s }}_{{ h }} = {{ scale }}[quad{{ s }}_{{ h }}];
    let b{{ s }}_{{ h }} = {{ shift }}[quad{{ s }}_{{ h }}];
{% endfor %}{% endfor %}
{% endmacro %}

{# Layer norm of v in place. When traced, team 0 of workgroup `writer` stores it at `kept`. #}
{% macro norm(dtype, inputs, lanes, trace, writer, kept) %}
{% set halves = (packed(dtype, inputs) | int) // 4 %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% set steps = (packs + lanes - 1) // lanes %}
    var sum = vec4f(0.0);
{% for s in range(steps) %}{% for h in range(halves) %}
    sum += v{{ s }}_{{ h }};
{% endfor %}{% endfor %}
    let mean = subgroupAdd(sum.x + sum.y + sum.z + sum.w) / {{ inputs }}.0;
    var squares = 0.0;
{% for s in range(steps) %}{% for h in range(halves) %}
{% if (s + 1) * lanes > packs %}
    v{{ s }}_{{ h }} = select(vec4f(0.0), v{{ s }}_{{ h }} - vec4f(mean), lane + {{ s * lanes }}u < {{ packs }}u);
{% else %}
    v{{ s }}_{{ h }} -= vec4f(mean);
{% endif %}
    squares += dot(v{{ s }}_{{ h }}, v{{ s }}_{{ h }});
{% endfor %}{% endfor %}
    let inverse = 1.0 / sqrt(subgroupAdd(squares) / {{ inputs }}.0 + 1e-5);
{% for s in range(steps) %}{% for h in range(halves) %}
    v{{ s }}_{{ h }} = v{{ s }}_{{ h }} * inverse * a{{ s }}_{{ h }} + b{{ s }}_{{ h }};
{% endfor %}{% endfor %}
{% if trace %}
    if (group.x == {{ writer }} && team == 0u) {
{% for s in range(steps) %}
        if (lane + {{ s * lanes }}u < {{ packs }}u) {
{% for h in range(halves) %}
            keep4({{ kept }} + row * {{ inputs }}u + quad{{ s }}_{{ h }} * 4u, v{{ s }}_{{ h }});
{% endfor %}
        }
{% endfor %}
    }
{% endif %}
{% endmacro %}

{# y{r}: the product of row `first + r` with v, in every lane of the team. #}
{% macro product(dtype, inputs, lanes, team_rows) %}
{% set halves = (packed(dtype, inputs) | int) // 4 %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for r in range(team_rows) %}
    var part{{ r }} = 0.0;
{% for s in range((packs + lanes - 1) // lanes) %}
{% set last = (s + 1) * lanes > packs %}
    part{{ r }} += {{ "select(0.0, " if last }}
{%- if dtype == "f32" %}dot(w{{ r }}_{{ s }}, v{{ s }}_0)
{%- elif halves == 2 %}dot(unpack_low(w{{ r }}_{{ s }}.xy), v{{ s }}_0) + dot(unpack_low(w{{ r }}_{{ s }}.zw), v{{ s }}_1)
{%- else %}dot(unpack_low(w{{ r }}_{{ s }}), v{{ s }}_0)
{%- endif %}{{ ", lane + " ~ (s * lanes) ~ "u < " ~ packs ~ "u)" if last }};
{% endfor %}
    let y{{ r }} = subgroupAdd(part{{ r }});
{% endfor %}
{% endmacro %}
