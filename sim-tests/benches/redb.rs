//! What the exploration of redb's crash states takes, recoveries and all, and what it would take if
//! each state were a copy of the whole file.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "it measures, and tells what"
)]

use std::hint::black_box;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use redb::{Database, StorageBackend};
use stormglass::explore::{Bounds, CrashBug, Explored, Pruning};
use stormglass::fs::blocking;

#[path = "../engines/redb.rs"]
mod engine;

use engine::Planted;

fn main() {
    let [once, twice] = engine::tours();
    let mut whole = [0.0; 2];
    for (bounds, commits) in [once, twice] {
        let each = Bounds {
            pruning: Pruning::None,
            states_max: usize::MAX,
            ..bounds.clone()
        };
        let shared = || engine::explore(&bounds, commits, Planted::Nothing);
        let copied = || {
            if bounds.depth > 1 {
                // A copy would tell of no changes in which power could be lost again. So nothing is
                // copied, which is less than what is to be compared with.
                return engine::explore(&each, commits, Planted::Nothing);
            }
            engine::explore_by(&each, commits, Planted::Nothing, || {
                let file = Copied::of("/redb");
                move || Database::builder().create_with_backend(file.clone())
            })
        };
        let mut best = [f64::INFINITY; 2];
        for _ in 0..ROUNDS {
            best[0] = best[0].min(measure("shared", shared));
            best[1] = best[1].min(measure("copied", copied));
        }
        let [shared, copied] = best;
        let times = copied / shared;
        println!("best: shared {shared:.2} s, copied {copied:.2} s, {times:.1} times as long");
        whole[0] += shared;
        whole[1] += copied;
    }
    let times = whole[1] / whole[0];
    println!("the whole exploration: copied takes {times:.1} times as long");
}

/// How long an exploration takes, in seconds.
fn measure(name: &str, explore: impl Fn() -> Result<Explored, CrashBug>) -> f64 {
    let begin = Instant::now();
    let explored = black_box(explore()).expect("the newest redb passes");
    let took = begin.elapsed().as_secs_f64();
    println!("{name}: {explored}; {took:.2} s");
    took
}

/// A file whose bytes are all its own. A clone is the same file.
#[derive(Clone, Debug)]
struct Copied(Arc<Mutex<Vec<u8>>>);

impl Copied {
    fn of(path: &str) -> Self {
        let file = blocking::File::open(path).expect("the setup made it");
        let len = file.metadata().expect("it is open").len();
        let mut bytes = vec![0; usize::try_from(len).expect("it fits into memory")];
        file.read_exact_at(&mut bytes, 0).expect("it has as many");
        Self(Arc::new(Mutex::new(bytes)))
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Copied {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        let from = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
        let found = from.and_then(|from| from.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.bytes().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes();
        let begin = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let end = begin + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[begin..end].copy_from_slice(data);
        Ok(())
    }
}

/// The best of so many counts, since a busy machine makes each longer and none shorter.
const ROUNDS: usize = 3;
