//! Tests that go wrong in every way, each at some of its seeds, and one that is no simulation.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stormglass::time::sleep;
use stormglass::{Config, Sim, always};

fn impatient() -> Config {
    Config {
        hang_after: Duration::from_millis(500),
        polls_at_one_instant: 10_000,
        ..Config::default()
    }
}

fn is_bad(sim: &Sim) -> bool {
    sim.seed() % 4 == 2
}

#[stormglass::test(seeds = 8)]
async fn panics(sim: Sim) {
    sleep(Duration::from_millis(sim.seed())).await;
    assert!(!is_bad(&sim), "seed {} is bad", sim.seed());
}

#[stormglass::test(seeds = 8)]
async fn aborts(sim: Sim) {
    if is_bad(&sim) {
        std::process::abort();
    }
}

#[stormglass::test(seeds = 8)]
async fn overflows_its_stack(sim: Sim) {
    if is_bad(&sim) {
        std::hint::black_box(deep(1_000_000_000));
    }
}

fn deep(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { deep(n - 1) + frame[7] }
}

#[stormglass::test(seeds = 4, config = impatient())]
async fn loops_without_end(sim: Sim) {
    while is_bad(&sim) {
        std::hint::spin_loop();
    }
}

#[stormglass::test(seeds = 8)]
async fn eats_memory(sim: Sim) {
    if is_bad(&sim) {
        drop(std::hint::black_box(vec![1_u8; 16 << 30]));
    }
}

#[stormglass::test(seeds = 8)]
async fn deadlocks(sim: Sim) {
    if is_bad(&sim) {
        std::future::pending::<()>().await;
    }
}

#[stormglass::test(seeds = 8, config = impatient())]
async fn livelocks(sim: Sim) {
    while is_bad(&sim) {
        stormglass::task::yield_now().await;
    }
}

#[stormglass::test(seeds = 8)]
async fn violates_a_property(sim: Sim) {
    always!(!is_bad(&sim), "no seed is bad", "seed {} is", sim.seed());
}

#[stormglass::test(seeds = 8)]
async fn leaks_the_state_of_the_process(sim: Sim) {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    sim.mark("counter", COUNTER.fetch_add(1, Ordering::Relaxed));
}

#[stormglass::test(seeds = 8)]
async fn leaks_addresses(sim: Sim) {
    let mut boxes: Vec<_> = (0..10_u64).map(Box::new).collect();
    boxes.sort_by_key(|it| (&raw const **it).addr().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    sim.mark("order", boxes.into_iter().fold(0, |sum, number| sum * 10 + *number));
}

static START: OnceLock<u64> = OnceLock::new();

/// Reads a real clock, outside of all simulations.
fn started() -> Config {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    START.get_or_init(|| u64::from(now.unwrap().subsec_nanos()));
    Config::default()
}

#[stormglass::test(seeds = 8, config = started())]
async fn leaks_a_clock(sim: Sim) {
    sim.mark("start", *START.get().unwrap());
}

static ENTROPY: OnceLock<u64> = OnceLock::new();

/// Reads the machine's entropy, outside of all simulations.
fn seeded() -> Config {
    use std::io::Read;
    let mut bytes = [0; 8];
    let device = std::fs::File::open("/dev/urandom");
    device.unwrap().read_exact(&mut bytes).unwrap();
    ENTROPY.get_or_init(|| u64::from_le_bytes(bytes));
    Config::default()
}

#[stormglass::test(seeds = 8, config = seeded())]
async fn leaks_entropy(sim: Sim) {
    sim.mark("entropy", *ENTROPY.get().unwrap());
}

#[stormglass::test]
#[ignore = "nobody asked for it"]
async fn is_ignored(_: Sim) {
    panic!("an ignored test was run");
}

#[test]
fn is_no_simulation() {
    if let Some(path) = std::env::var_os("PLANTED_CANARY") {
        std::fs::write(path, "a test that is no simulation was run").unwrap();
    }
}
