{# Macros of decode/layers. A "team", a subgroup of LANES threads, computes rows of a matrix on its own. A lane keeps the
   packs lane, lane + LANES, ... of its rows in registers; the vector is in workgroup memory, x, in the order in which
   lanes read it without bank conflicts. Arguments as in decode/common/decode.wgsl. #}
{% macro packed(dtype, inputs) %}{{ 4 if dtype == "f32" or inputs % 8 else 8 }}{% endmacro %}

{% macro weight_type(dtype, inputs) %}
{{- "vec4f" if dtype == "f32" else ("vec4u" if inputs % 8 == 0 else "vec2u") -}}
{% endmacro %}

{# Workgroups for a matrix with so many outputs, a team taking `team_rows` of them. #}
{% macro groups(outputs, teams, team_rows) %}{{ (outputs + teams * team_rows - 1) // (teams * team_rows) }}{% endmacro %}

{# Statements with "@" in the names of buffers, for the block `block` of the dispatch. Only loads are repeated for each
   block: what is made of them is shared, since a processor that has to fetch other instructions for every block waits
   longer for those than for the data. #}
{% macro of_block(blocks, statements) %}
{% if blocks == 1 %}
{{ statements | replace("@", "0") }}
{%- else %}
    switch block {
{% for b in range(blocks) %}
        {{ "default" if b == blocks - 1 else "case " ~ b ~ "u" }}: {
{{ statements | replace("@", b) }}        }
{% endfor %}
    }
{% endif %}
{% endmacro %}

{# w{r}_{s}: pack s of row `first + r`. Rows past the end repeat the last one and are not stored. #}
{% macro packs_of(dtype, inputs, outputs, lanes, team_rows, first) %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for r in range(team_rows) %}
    let at{{ r }} = min({{ first }} + {{ r }}u, {{ outputs - 1 }}u) * {{ packs }}u + lane;
{% for s in range((packs + lanes - 1) // lanes) %}
    var w{{ r }}_{{ s }}: {{ weight_type(dtype, inputs) }};
{% endfor %}
{% endfor %}
{% endmacro %}
{% macro fetch(matrix, dtype, inputs, outputs, lanes, team_rows) %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for r in range(team_rows) %}
{% for s in range((packs + lanes - 1) // lanes) %}
{% if (s + 1) * lanes <= packs %}
    w{{ r }}_{{ s }} = {{ matrix }}[at{{ r }} + {{ s * lanes }}u];
{% else %}
    w{{ r }}_{{ s }} = {{ matrix }}[min(at{{ r }} + {{ s * lanes }}u, {{ packs * outputs - 1 }}u)];
{% endif %}
{% endfor %}
{% endfor %}
{% endmacro %}

{# i{n}: the elements of a vector that this thread takes; those past the end repeat the last one. #}
{% macro indices(inputs, threads) %}
{% for n in range((inputs + threads - 1) // threads) %}
    let i{{ n }} = {{ "min(thread + " ~ n * threads ~ "u, " ~ (inputs - 1) ~ "u)" if (n + 1) * threads > inputs else "thread + " ~ n * threads ~ "u" }};
{% endfor %}
{% endmacro %}

{# Puts element i{n} into x, unless it repeats the last one. #}
{% macro put(n, value, dtype, inputs, threads) %}
{% if (packed(dtype, inputs) | int) == 8 %}
{% set place = "i" ~ n ~ " / 4u % 2u * " ~ inputs // 8 ~ "u + i" ~ n ~ " / 8u" %}
{% else %}
{% set place = "i" ~ n ~ " / 4u" %}
{% endif %}
{% if (n + 1) * threads > inputs %}
    if (thread + {{ n * threads }}u < {{ inputs }}u) { x[{{ place }}][i{{ n }} % 4u] = {{ value }}; }
{% else %}
    x[{{ place }}][i{{ n }} % 4u] = {{ value }};
{% endif %}
{% endmacro %}

{# The sum over the workgroup of `value`, which all threads get as `name`. slot: 0 or 1, in turns. #}
{% macro group_sum(name, value, teams, slot) %}
    let {{ name }}_team = subgroupAdd({{ value }});
    if (lane == 0u) { team_sums[team + {{ slot * teams }}u] = {{ name }}_team; }
    workgroupBarrier();
    let {{ name }} = {% for i in range(teams) %}{{ " + " if not loop.first }}team_sums[{{ slot * teams + i }}]{% endfor %};
{% endmacro %}

{# Layer norm of the elements v{n} into x. The first workgroup of the stage stores it at `kept` when traced. #}
{% macro norm(dtype, inputs, threads, teams, trace, kept) %}
{% set steps = (inputs + threads - 1) // threads %}
{% set tail = steps * threads > inputs %}
    let inside = thread + {{ (steps - 1) * threads }}u < {{ inputs }}u; // of the last element
    var part = 0.0;
{% for n in range(steps) %}
    part += {{ "select(0.0, v" ~ n ~ ", inside)" if tail and n == steps - 1 else "v" ~ n }};
{% endfor %}
{{ group_sum("sum", "part", teams, 0) }}
    let mean = sum / {{ inputs }}.0;
    part = 0.0;
{% for n in range(steps) %}
    let d{{ n }} = {{ "select(0.0, v" ~ n ~ " - mean, inside)" if tail and n == steps - 1 else "v" ~ n ~ " - mean" }};
    part += d{{ n }} * d{{ n }};
{% endfor %}
{{ group_sum("squares", "part", teams, 1) }}
    let inverse = 1.0 / sqrt(squares / {{ inputs }}.0 + 1e-5);
{% for n in range(steps) %}
    let normed{{ n }} = d{{ n }} * inverse * scale{{ n }} + shift{{ n }};
{{ put(n, "normed" ~ n, dtype, inputs, threads) }}
{% endfor %}
{% if trace %}
    if (at == 0u) {
{% for n in range(steps) %}
        {{ "if (inside) { " if tail and n == steps - 1 }}keep(block, {{ kept }} + row * {{ inputs }}u + i{{ n }}, normed{{ n }});{{ " }" if tail and n == steps - 1 }}
{% endfor %}
    }
{% endif %}
    workgroupBarrier();
{% endmacro %}

{# scale{n}, shift{n}: of a layer norm, for the elements i{n}; loaded before any wait. #}
{% macro norm_elements(inputs, threads) %}
{% for n in range((inputs + threads - 1) // threads) %}
    var scale{{ n }}: f32;
    var shift{{ n }}: f32;
{% endfor %}
{% endmacro %}
{% macro norm_fetch(scale, shift, inputs, threads) %}
{% for n in range((inputs + threads - 1) // threads) %}
    scale{{ n }} = {{ scale }}[i{{ n }}];
    shift{{ n }} = {{ shift }}[i{{ n }}];
{% endfor %}
{% endmacro %}

{# y: the product of row `first + lane` with x, in the first `team_rows` lanes of the team. #}
{% macro product(dtype, inputs, lanes, team_rows) %}
{% set halves = (packed(dtype, inputs) | int) // 4 %}
{% set packs = inputs // (packed(dtype, inputs) | int) %}
{% for s in range((packs + lanes - 1) // lanes) %}
{% set last = (s + 1) * lanes > packs %}
    let p{{ s }} = {{ "min(lane + " ~ s * lanes ~ "u, " ~ (packs - 1) ~ "u)" if last else "lane + " ~ s * lanes ~ "u" }};
    let low{{ s }} = x[p{{ s }}];
{% if halves == 2 %}
    let high{{ s }} = x[p{{ s }} + {{ packs }}u];
{% endif %}
{% for r in range(team_rows) %}
    {{ "var part" ~ r ~ " =" if s == 0 else "part" ~ r ~ " +=" }} {{ "select(0.0, " if last }}
{%- if dtype == "f32" %}dot(w{{ r }}_{{ s }}, low{{ s }})
{%- elif halves == 2 %}dot(unpack_low(w{{ r }}_{{ s }}.xy), low{{ s }}) + dot(unpack_low(w{{ r }}_{{ s }}.zw), high{{ s }})
{%- else %}dot(unpack_low(w{{ r }}_{{ s }}), low{{ s }})
{%- endif %}{{ ", lane + " ~ (s * lanes) ~ "u < " ~ packs ~ "u)" if last }};
{% endfor %}
{% endfor %}
{% for r in range(team_rows) %}
    let y{{ r }} = subgroupAdd(part{{ r }});
{% endfor %}
    var y = y0;
{% for r in range(1, team_rows) %}
    y = select(y, y{{ r }}, lane == {{ r }}u);
{% endfor %}
{% endmacro %}
