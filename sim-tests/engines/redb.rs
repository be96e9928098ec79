//! redb on a simulated disk: a loss of power anywhere in twelve commits of 300 KB each.
//!
//! Owns the backend, the workload and what is demanded after a crash. It is compiled into the tests
//! with the newest redb, and into packages of their own with older ones.

use std::hint::black_box;
use std::io;

use redb::{
    Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    TableError,
};
use stormglass::explore::{Bounds, CrashBug, Ctx, Explored, explore_crashes};
use stormglass::fs::blocking::{File, OpenOptions, exists, rename};

/// What may be wrong with the program around redb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "only the tests plant anything")]
pub(crate) enum Planted {
    /// Nothing: what fails is redb's.
    Nothing,
    /// The backend's sync does nothing.
    NoSync,
    /// Each commit is acknowledged before it is made.
    EarlyAck,
}

/// How a database is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "only the tests make any")]
pub(crate) enum Creation {
    /// Under its name.
    InPlace,
    /// Under another, and then renamed.
    Beside,
    /// The same, where the new name is not made durable.
    NoDirectorySync,
}

/// What is tried: each loss of power in all the commits, and second ones after some in a few.
pub(crate) fn tours() -> [(Bounds, u64); 2] {
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
    [(once, COMMITS), (twice, COMMITS / 3)]
}

/// Tries the crash states of so many commits on this redb.
///
/// # Errors
/// A crash after which the database does not open, or has lost or torn what was committed.
pub(crate) fn explore(
    bounds: &Bounds,
    commits: u64,
    planted: Planted,
) -> Result<Explored, CrashBug> {
    explore_by(bounds, commits, planted, || || open(planted))
}

/// The same, where each check asks for its own way to open the database.
pub(crate) fn explore_by<O: Fn() -> Result<Database, DatabaseError>>(
    bounds: &Bounds,
    commits: u64,
    planted: Planted,
    way: impl Fn() -> O,
) -> Result<Explored, CrashBug> {
    // redb asks for large buffers all the time, and glibc has the kernel map each anew, which is
    // slow, until one of that size was given back.
    drop(black_box(Vec::<u8>::with_capacity(16 << 20)));
    let values: Vec<Vec<u8>> = (0..commits).map(value).collect();
    explore_crashes(
        bounds,
        |_| drop(open(Planted::Nothing).expect("a new database")),
        |ctx| workload(ctx, &values, planted),
        |_, acked| check(acked, &values, way()),
    )
}

/// Tries the crash states of a database's creation and its first commit.
///
/// # Errors
/// As [`explore`].
#[allow(dead_code, reason = "only the tests ask for it")]
pub(crate) fn explore_creation(bounds: &Bounds, creation: Creation) -> Result<Explored, CrashBug> {
    let values = [value(0)];
    explore_crashes(
        bounds,
        |_| {},
        |ctx| {
            if creation != Creation::InPlace {
                drop(open_at("/redb.new", Planted::Nothing).expect("a new database"));
                rename("/redb.new", "/redb").expect("nothing fails on this disk");
            }
            let database = open(Planted::Nothing).expect("a database");
            if creation != Creation::NoDirectorySync {
                // Which redb leaves to whoever makes the file.
                let root = File::open("/").expect("the root");
                root.sync_all().expect("nothing fails on this disk");
            }
            commit(&database, 0, &values[0]).expect("nothing fails on this disk");
            ctx.ack(0);
        },
        |_, acked| {
            if acked.is_empty() && !exists("/redb").expect("the root can be read") {
                return Ok(());
            }
            check(acked, &values, || open(Planted::Nothing))
        },
    )
}

fn workload(ctx: &Ctx<u64>, values: &[Vec<u8>], planted: Planted) {
    let database = open(planted).expect("the database that the setup made");
    for (number, value) in (0..).zip(values) {
        if planted == Planted::EarlyAck {
            ctx.ack(number);
        }
        commit(&database, number, value).expect("nothing fails on this disk");
        if planted != Planted::EarlyAck {
            ctx.ack(number);
        }
    }
}

fn commit(database: &Database, number: u64, value: &[u8]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(TABLE)?.insert(number, value)?;
    transaction.commit()?;
    Ok(())
}

/// All that was acknowledged is there and whole, and at most the commit after it; twice the same.
fn check(
    acked: &[u64],
    values: &[Vec<u8>],
    open: impl Fn() -> Result<Database, DatabaseError>,
) -> Result<(), String> {
    let content = || content(&open()?, values);
    let first = content().map_err(|error| format!("it does not open: {error}"))?;
    let again = content().map_err(|error| format!("it opens once only: {error}"))?;
    if first != again {
        return Err(format!("opened again: {again:?}, and not {first:?}"));
    }
    let count = acked.len() as u64;
    let expected = [count, count + 1].map(|count| (0..count).collect::<Vec<_>>());
    if expected.contains(&first) {
        return Ok(());
    }
    Err(format!("{first:?} with {count} commits acknowledged"))
}

/// The numbers of the commits in the database, each of which has its value.
fn content(database: &Database, values: &[Vec<u8>]) -> Result<Vec<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(TABLE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut numbers = Vec::new();
    for entry in table.iter()? {
        let (number, found) = entry?;
        let number = number.value();
        let value = usize::try_from(number).ok().and_then(|at| values.get(at));
        if value.is_none_or(|value| value != found.value()) {
            return Err(redb::Error::Corrupted(format!("commit {number} is torn")));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

/// Bytes that no other commit has in the same places.
fn value(number: u64) -> Vec<u8> {
    let words = (0..VALUE_BYTES / 8).map(|word| (word << 8 | number).to_le_bytes());
    words.flatten().collect()
}

fn open(planted: Planted) -> Result<Database, DatabaseError> {
    open_at("/redb", planted)
}

fn open_at(path: &str, planted: Planted) -> Result<Database, DatabaseError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    Database::builder().create_with_backend(Backend { file, planted })
}

/// Does as redb's own backend of a file does.
#[derive(Debug)]
struct Backend {
    file: File,
    planted: Planted,
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.planted {
            Planted::NoSync => Ok(()),
            Planted::Nothing | Planted::EarlyAck => self.file.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("commits");
const COMMITS: u64 = 12;
const VALUE_BYTES: u64 = 300_000;
