// Writes the key of the most extreme value in each block of 16 values, for the changed rows of one source's tensors.
// Grid: (tensors, parts). The last block of a tensor may be incomplete: it is not read until it is full.
{% include "common/extreme.wgsl" %}
{% include "strip/common/table.wgsl" %}
const THREADS = 64u;
struct Params {
    first_row: u32, // first row that changed
    context: u32,   // rows per tensor in the table of peaks
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> entries: array<Entry>;
@group(0) @binding(2) var<storage, read> values: array<vec4u>; // bits
@group(0) @binding(3) var<storage, read_write> blocks: array<u32>; // one key per 16 values of the source

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let entry = entries[group.x];
    if (entry.blocks == 0u) { return; }
    let end = (entry.rows * entry.columns + 15u) / 16u;
    let base = entry.offset / 16u;
    let start = params.first_row * entry.columns / 16u + group.y * THREADS + thread;
    for (var block = start; block < end; block += groups.y * THREADS) {
        let quad = (base + block) * 4u;
        blocks[base + block] = max(
            max(extreme_key4(values[quad]), extreme_key4(values[quad + 1u])),
            max(extreme_key4(values[quad + 2u]), extreme_key4(values[quad + 3u])),
        );
    }
}
