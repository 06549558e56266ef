// Paints cells of Strip. A workgroup paints a tile: up to 64 consecutive cells of one span, or of a gap. threads: 64, or
// fewer for software adapters, on which a thread paints several cells: there a value that all threads share costs as much
// as 8 different ones.
// With `pool` a cell shows the most extreme value of its source range, otherwise the first one. With `numbers` it stores
// the values instead of their colors: some drivers allow one storage texture per dispatch.
{% include "common/numbers.wgsl" %}
{% include "strip/common/table.wgsl" %}
{% include "strip/common/index.wgsl" %}
{% if not numbers %}
{% include "strip/common/color.wgsl" %}
{% endif %}
{% if pool %}
{% include "common/extreme.wgsl" %}
{% endif %}
const WIDTH = {{ width }}u;
const TENSORS = {{ tensors }}u;
const EMPTY = 0xffffffffu;
struct Tile {
    entry: u32, // index of the span's tensor, or EMPTY
    first: u32, // first cell of the tile
    count: u32, // cells in the tile
    padding: u32,
}
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
{% if pool %}
@group(0) @binding(2) var<storage, read> values: array<vec4u>; // bits
@group(0) @binding(6) var<storage, read> blocks: array<u32>; // extreme key of every 16 values
{% else %}
@group(0) @binding(2) var<storage, read> values: array<f32>;
{% endif %}
{% if numbers %}
@group(0) @binding(4) var shown: texture_storage_2d<r32uint, write>; // bits of the value in each cell, 0 in gaps
{% else %}
@group(0) @binding(3) var<storage, read> peaks: array<f32>;
{% if not plain %}
@group(0) @binding(7) var<uniform> ranges: array<vec4f, TENSORS>;
{% endif %}
@group(0) @binding(5) var<uniform> mapping: ColorMapping;
@group(0) @binding(4) var picture: texture_storage_2d<rgba8unorm, write>;
{% endif %}

{% if pool %}
const BLOCKS_FROM = 32u; // values in a range: shorter ranges contain hardly any whole blocks
fn range_key(entry: Entry, range: vec2u) -> u32 {
    var key = 0u;
    let base = entry.offset / 4u;
    for (var quad = range.x / 4u; quad * 4u < range.y; quad++) {
        key = max(key, range_key4(values[base + quad], quad * 4u, range));
    }
    return key;
}
fn shown_value(entry: Entry, cell: u32) -> f32 {
    let range = source_range(cell, entry.cells, entry.rows * entry.columns);
    if (entry.blocks == 0u || range.y - range.x < BLOCKS_FROM) {
        return bitcast<f32>(extreme_bits(range_key(entry, range)));
    }
    // Whole blocks in the middle, single values at both ends.
    let first = (range.x + 15u) / 16u;
    let end = range.y / 16u;
    var key = max(range_key(entry, vec2u(range.x, first * 16u)), range_key(entry, vec2u(end * 16u, range.y)));
    let base = entry.offset / 16u;
    for (var block = first; block < end; block++) { key = max(key, blocks[base + block]); }
    return bitcast<f32>(extreme_bits(key));
}
{% else %}
fn shown_value(entry: Entry, cell: u32) -> f32 {
    return values[entry.offset + source_index(cell, entry.cells, entry.rows * entry.columns)];
}
{% endif %}

@compute @workgroup_size({{ threads }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let tile = tiles[group.x];
    // Everything that the cells of a tile share is loaded once.
    let filled = tile.entry != EMPTY;
    let entry = entries[select(0u, tile.entry, filled)];
{% if not numbers %}
    let style = mapping;
    let peak = peaks[select(entry.slot, TENSORS, style.all_tensors == 1u)];
{% if not plain %}
    let range = ranges[entry.slot].xy;
{% endif %}
{% endif %}
    for (var i = thread; i < tile.count; i += {{ threads }}u) {
        let cell = tile.first + i;
        let texel = vec2u(cell % WIDTH, cell / WIDTH);
{% if numbers %}
        var bits = 0u;
        if (filled) { bits = bitcast<u32>(shown_value(entry, cell - entry.first)); }
        textureStore(shown, texel, vec4u(bits, 0u, 0u, 0u));
{% else %}
        var color = style.ground;
        if (filled) { color = strip_color(shown_value(entry, cell - entry.first), peak{{ "" if plain else ", range" }}, style); }
        textureStore(picture, texel, color);
{% endif %}
    }
}
