//! Timers, spawn, yield and the event queue: what an event costs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stormglass::kernel::{Queue, SimTime};
use stormglass::sim::Builder;
use stormglass::task;
use stormglass::time::sleep;

/// A small generator for the workloads' own numbers: splitmix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

const FIRES: u64 = 100_000;

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(FIRES));
    group.bench_function("1000 tasks sleep 1 to 100 ms", |b| {
        b.iter(|| {
            let outcome = Builder::new().run(|_| async {
                let tasks: Vec<_> = (0..1000)
                    .map(|n| {
                        task::spawn(async move {
                            let mut numbers = Numbers(n);
                            for _ in 0..FIRES / 1000 {
                                sleep(Duration::from_millis(1 + numbers.next() % 100)).await;
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("it does not panic");
                }
            });
            outcome.unwrap();
        });
    });
    group.finish();
}

fn tasks(c: &mut Criterion) {
    let mut group = c.benchmark_group("tasks");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(100_000));
    group.bench_function("spawn and join", |b| {
        b.iter(|| {
            let outcome = Builder::new().run(|_| async {
                for _ in 0..100 {
                    let tasks: Vec<_> = (0..1000_u64)
                        .map(|n| task::spawn(async move { n }))
                        .collect();
                    for task in tasks {
                        black_box(task.await.expect("it does not panic"));
                    }
                }
            });
            outcome.unwrap();
        });
    });
    group.bench_function("yield among 1000", |b| {
        b.iter(|| {
            let outcome = Builder::new().run(|_| async {
                let tasks: Vec<_> = (0..1000)
                    .map(|_| {
                        task::spawn(async {
                            for _ in 0..100 {
                                task::yield_now().await;
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("it does not panic");
                }
            });
            outcome.unwrap();
        });
    });
    group.finish();
}

fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for pending in [1_000_u64, 10_000_000] {
        let id = BenchmarkId::new("pop and push", pending);
        group.bench_function(id, |b| {
            let mut numbers = Numbers(1);
            let mut queue = Queue::new();
            let mut delay = || 1_000_000 + numbers.next() % 99_000_000;
            for n in 0..pending {
                queue.push(SimTime::from_nanos(delay()), n);
            }
            b.iter(|| {
                let (at, n) = queue.pop().expect("it is never empty");
                queue.push(SimTime::from_nanos(at.as_nanos() + delay()), n);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, timers, tasks, queue);
criterion_main!(benches);
