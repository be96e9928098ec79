//! turso_core on a simulated disk: a loss of power anywhere in a few commits and a checkpoint.
//!
//! Owns the IO, the workload and what is demanded after a crash. It is compiled into a package of
//! its own, which prints what a loss of power does, and exits with 100 if that is wrong.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stormglass::explore::{Bounds, CrashBug, Ctx, Explored, explore_crashes};
use stormglass::fs::blocking;
use turso_core::io::FileId;
use turso_core::io::clock::{MonotonicInstant, WallClockInstant};
use turso_core::{
    Buffer, Clock, Completion, CompletionError, ConnectOpts, Connection, Database, File, IO,
    LimboError, OpenFlags, SqliteDialect, Value,
};

/// What may be wrong with the program around turso.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    /// Nothing: what fails is turso's.
    Nothing,
    /// The sync of its IO does nothing.
    NoSync,
    /// Each commit is acknowledged before it is made.
    EarlyAck,
}

/// Tries turso as it is, which must pass, and with each planted bug, which must be found.
fn main() -> ExitCode {
    let once = Bounds {
        depth: 1,
        ..Bounds::default()
    };
    // All the rest within bounds for each moment of each recovery would take minutes.
    let twice = Bounds {
        exhaustive_up_to: 3,
        pairs_up_to: 3,
        random: 4,
        torn: false,
        garbage: false,
        ..Bounds::default()
    };
    let mut wrong = false;
    for (bounds, planted) in [
        (&once, Planted::Nothing),
        (&twice, Planted::Nothing),
        (&once, Planted::NoSync),
        (&once, Planted::EarlyAck),
    ] {
        let begin = Instant::now();
        let found = explore(bounds, planted);
        let took = begin.elapsed().as_secs_f64();
        wrong |= found.is_err() != (planted != Planted::Nothing);
        match found {
            Ok(explored) => println!("{planted:?}: {explored}; {took:.2} s"),
            Err(bug) => println!("{planted:?}: {bug}\n  took     {took:.2} s"),
        }
    }
    ExitCode::from(if wrong { 100 } else { 0 })
}

fn explore(bounds: &Bounds, planted: Planted) -> Result<Explored, CrashBug> {
    explore_crashes(
        bounds,
        |_| {
            let connection = open(Planted::Nothing).expect("a new database");
            let sql = "CREATE TABLE commits (number INTEGER PRIMARY KEY, value TEXT)";
            connection.execute(sql).expect("a new table");
        },
        |ctx| workload(ctx, planted).expect("nothing fails on this disk"),
        |_, acked| check(acked),
    )
}

fn workload(ctx: &Ctx<i64>, planted: Planted) -> Result<(), LimboError> {
    let connection = open(planted)?;
    for number in 0..COMMITS {
        let value = value(number);
        let sql = format!("INSERT INTO commits VALUES ({number}, '{value}')");
        if planted == Planted::EarlyAck {
            ctx.ack(number);
        }
        connection.execute(sql)?;
        if planted != Planted::EarlyAck {
            ctx.ack(number);
        }
        if number == CHECKPOINT {
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
        }
    }
    Ok(())
}

/// All that was acknowledged is there and whole, and at most the commit after it; twice the same.
fn check(acked: &[i64]) -> Result<(), String> {
    let first = content().map_err(|error| format!("it does not open: {error}"))?;
    let again = content().map_err(|error| format!("it opens once only: {error}"))?;
    if first != again {
        return Err(format!("opened again: {again:?}, and not {first:?}"));
    }
    let count = i64::try_from(acked.len()).expect("few commits");
    let expected = [count, count + 1].map(|count| (0..count).collect::<Vec<_>>());
    if expected.contains(&first) {
        return Ok(());
    }
    Err(format!("{first:?} with {count} commits acknowledged"))
}

/// The numbers of the commits in the database, each of which has its value.
fn content() -> Result<Vec<i64>, LimboError> {
    let connection = open(Planted::Nothing)?;
    let mut numbers = Vec::new();
    let mut select = connection.prepare("SELECT number, value FROM commits ORDER BY number")?;
    for row in select.run_collect_rows()? {
        let number = row[0].as_int().unwrap_or(-1);
        if !matches!(&row[1], Value::Text(text) if text.as_str() == value(number)) {
            return Err(LimboError::Corrupt(format!("commit {number} is torn")));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

/// A text that no other commit has, longer than a page.
fn value(number: i64) -> String {
    format!("{number} ").repeat(2_500)
}

fn open(planted: Planted) -> Result<Arc<Connection>, LimboError> {
    let io = Arc::new(Io {
        syncs: planted != Planted::NoSync,
        clock_ns: AtomicU64::new(0),
        random: AtomicU64::new(0),
    });
    let database = Database::open_file(io, "/turso", Arc::new(SqliteDialect))?;
    database.connect(ConnectOpts::new())
}

/// Does as turso's own IO of Unix does, on the simulated disk; each call is done when it returns.
struct Io {
    syncs: bool,
    clock_ns: AtomicU64,
    random: AtomicU64,
}

impl Clock for Io {
    fn current_time_monotonic(&self) -> MonotonicInstant {
        let ns = self.clock_ns.fetch_add(1_000, Ordering::Relaxed);
        MonotonicInstant::from_nanos(ns.into())
    }

    fn current_time_wall_clock(&self) -> WallClockInstant {
        let ns = self.clock_ns.fetch_add(1_000, Ordering::Relaxed);
        let since = Duration::from_nanos(ns);
        WallClockInstant {
            secs: 1_767_225_600 + i64::try_from(since.as_secs()).expect("a short run"),
            micros: since.subsec_micros(),
        }
    }
}

impl IO for Io {
    fn open_file(
        &self,
        path: &str,
        flags: OpenFlags,
        _: bool,
    ) -> turso_core::Result<Arc<dyn File>> {
        let mut options = blocking::OpenOptions::new();
        options
            .read(true)
            .write(!flags.contains(OpenFlags::ReadOnly))
            .create(flags.contains(OpenFlags::Create));
        let file = options.open(path).map_err(|error| failed(&error, "open"))?;
        let syncs = self.syncs;
        Ok(Arc::new(OpenFile { file, syncs }))
    }

    fn remove_file(&self, path: &str) -> turso_core::Result<()> {
        blocking::remove_file(path).map_err(|error| failed(&error, "remove").into())
    }

    fn generate_random_number(&self) -> i64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        i64::from_le_bytes(bytes)
    }

    /// The same in each run, as the exploration needs it.
    fn fill_bytes(&self, into: &mut [u8]) {
        for byte in into {
            let state = self.random.fetch_add(1, Ordering::Relaxed);
            *byte = state
                .wrapping_add(1)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_be_bytes()[0];
        }
    }

    fn sleep(&self, _: Duration) {}

    fn yield_now(&self) {}

    /// Each opening is of another file, since the disk below is: turso keeps a table of databases
    /// for all the process.
    fn file_id(&self, path: &str) -> turso_core::Result<FileId> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(FileId::from_path_hash(&format!("{number}{path}")))
    }
}

struct OpenFile {
    file: blocking::File,
    syncs: bool,
}

impl File for OpenFile {
    fn lock_file(&self, _: bool) -> turso_core::Result<()> {
        Ok(())
    }

    fn unlock_file(&self) -> turso_core::Result<()> {
        Ok(())
    }

    fn pread(&self, at: u64, c: Completion) -> turso_core::Result<Completion> {
        let buffer = c.as_read().buf();
        answer(&c, self.file.read_at(buffer.as_mut_slice(), at), "pread");
        Ok(c)
    }

    fn pwrite(
        &self,
        at: u64,
        buffer: Arc<Buffer>,
        c: Completion,
    ) -> turso_core::Result<Completion> {
        let bytes = buffer.as_slice();
        let written = self.file.write_all_at(bytes, at).map(|()| bytes.len());
        answer(&c, written, "pwrite");
        Ok(c)
    }

    fn sync(
        &self,
        c: Completion,
        _: turso_core::io::FileSyncType,
    ) -> turso_core::Result<Completion> {
        let synced = if self.syncs {
            self.file.sync_all()
        } else {
            Ok(())
        };
        answer(&c, synced.map(|()| 0), "sync");
        Ok(c)
    }

    fn size(&self) -> turso_core::Result<u64> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(|error| failed(&error, "size"))?.len())
    }

    fn truncate(&self, len: u64, c: Completion) -> turso_core::Result<Completion> {
        answer(&c, self.file.set_len(len).map(|()| 0), "truncate");
        Ok(c)
    }
}

/// Ends a call.
fn answer(c: &Completion, result: io::Result<usize>, call: &'static str) {
    match result {
        Ok(length) => c.complete(i32::try_from(length).expect("a short buffer")),
        Err(error) => c.error(failed(&error, call)),
    }
}

fn failed(error: &io::Error, call: &'static str) -> CompletionError {
    CompletionError::IOError(error.kind(), call)
}

const COMMITS: i64 = 6;
/// The commit after which the log is written back.
const CHECKPOINT: i64 = 3;
