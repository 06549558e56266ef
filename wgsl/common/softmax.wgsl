// Replaces the first `keys` of the workgroup's `scores` with exponentials and returns the inverse of their sum. `mine` is
// the largest score that this thread has written. Needs `scores`, `partial` and THREADS; all threads must call it.
fn softmax(keys: u32, thread: u32, mine: f32) -> f32 {
    partial[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] = max(partial[thread], partial[thread + half]); }
    }
    workgroupBarrier();
    let highest = partial[0];
    workgroupBarrier();
    var total = 0.0;
    for (var t = thread; t < keys; t += THREADS) {
        let e = exp(scores[t] - highest);
        scores[t] = e;
        total += e;
    }
    partial[thread] = total;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (thread < half) { partial[thread] += partial[thread + half]; }
    }
    workgroupBarrier();
    return 1.0 / partial[0];
}
