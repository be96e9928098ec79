//! Crash states: what an image costs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stormglass::explore::Images;

fn images(c: &mut Criterion) {
    let images = Images::like_redb();
    let mut group = c.benchmark_group("images");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(images.count() as u64));
    group.bench_function("shared", |b| b.iter(|| black_box(images.by_sharing())));
    group.bench_function("copied", |b| b.iter(|| black_box(images.by_copying())));
    group.finish();
}

criterion_group!(benches, images);
criterion_main!(benches);
