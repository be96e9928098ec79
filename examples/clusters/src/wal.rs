//! A small write-ahead log: a map of texts that survives any loss of power.
//!
//! A change is one *record* at the end of the file `wal`: its length, a checksum, and the key and
//! the value. [`Wal::set`] promises that a record is durable when it returns. What there is to get
//! right, each of which a [`Bug`] leaves out:
//!
//! - A write goes to memory. The content of a file is durable when a *sync of the file* says so,
//!   and the file's name when a *sync of its directory* does.
//! - A write that is interrupted leaves anything: none of it, a part of it, its length without its
//!   bytes. So recovery believes a record by its *checksum*, and takes the first that is torn for
//!   the end of the log, however long the file is.
//! - The log is made shorter by writing another file and giving it the name of the old one, which
//!   happens at one moment, though only if the new file's content is *durable before* it.
//! - A sync that *failed* has lost what it should have written. The next one knows nothing of it
//!   and succeeds. After that nothing may be promised until the log is opened again.
//!
//! The test of it is [`explore`], which tries what every loss of power leaves.

mod bug;
mod explore;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use stormglass::fs::blocking::{self, File, OpenOptions};

pub use bug::Bug;
pub use explore::explore;

/// A map of texts, kept in a log.
#[derive(Debug)]
pub struct Wal {
    directory: PathBuf,
    file: File,
    map: BTreeMap<String, String>,
    /// A sync failed: nobody knows what of the file is durable.
    broken: bool,
    bug: Option<Bug>,
}

impl Wal {
    /// Opens the log in a directory, and makes one if there is none. What is left of a change that
    /// was interrupted is cleared away.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(directory: impl AsRef<Path>, bug: Option<Bug>) -> io::Result<Self> {
        let directory = directory.as_ref().to_owned();
        if blocking::exists(directory.join(SHORTER))? {
            // A compaction did not come to its end. The log is as good as before.
            blocking::remove_file(directory.join(SHORTER))?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(directory.join(LOG))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (map, end) = recover(&bytes, bug)?;
        if end < bytes.len() {
            // The next record follows the last good one, or no recovery would ever come to it.
            file.set_len(end as u64)?;
        }
        let mut wal = Self {
            directory,
            file,
            map,
            broken: false,
            bug,
        };
        // What was read may be in memory only, if the process died and the machine did not.
        wal.sync()?;
        wal.sync_names()?;
        Ok(wal)
    }

    /// Changes a value. It is durable when this returns.
    ///
    /// # Errors
    /// Those of the disk. Whether the change survives is unknown then, and the log takes no more
    /// changes until it is opened again, by a process that has not seen what the disk has lost.
    pub fn set(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.check()?;
        if let Err(error) = self.file.write_all(&record(key, value)) {
            // A part of the record may be there, and nothing may come behind it.
            self.broken = true;
            return Err(error);
        }
        self.sync()?;
        self.map.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Makes the log as short as it can be: one record for each key.
    ///
    /// # Errors
    /// Those of the disk. The log takes no more changes then, until it is opened again.
    pub fn compact(&mut self) -> io::Result<()> {
        self.check()?;
        // Until all is done, what is true of either file is not known.
        self.broken = true;
        let shorter = self.directory.join(SHORTER);
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&shorter)?;
        let records = self.map.iter().map(|(key, value)| record(key, value));
        file.write_all(&records.collect::<Vec<_>>().concat())?;
        let rename_first = self.bug == Some(Bug::RenameBeforeSync);
        if !rename_first && self.bug != Some(Bug::NoFileSync) {
            file.sync_data()?;
        }
        // At this moment the shorter log takes the place of the other.
        blocking::rename(&shorter, self.directory.join(LOG))?;
        self.sync_names()?;
        if rename_first {
            file.sync_data()?;
        }
        self.file = file;
        self.broken = false;
        Ok(())
    }

    /// All keys and values.
    #[must_use]
    pub const fn map(&self) -> &BTreeMap<String, String> {
        &self.map
    }

    fn check(&self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the log failed before: open it again"));
        }
        Ok(())
    }

    /// Makes the content of the log durable, and its length.
    fn sync(&mut self) -> io::Result<()> {
        if self.bug == Some(Bug::NoFileSync) {
            return Ok(());
        }
        match self.file.sync_data() {
            Err(_) if self.bug == Some(Bug::RetryFailedSync) => self.file.sync_data(),
            result => {
                self.broken |= result.is_err();
                result
            }
        }
    }

    /// Makes durable which file has which name.
    fn sync_names(&self) -> io::Result<()> {
        if self.bug == Some(Bug::NoDirectorySync) {
            return Ok(());
        }
        File::open(&self.directory)?.sync_all()
    }
}

/// Reads records up to the first that is torn, and gives what they say and where they end.
fn recover(bytes: &[u8], bug: Option<Bug>) -> io::Result<(BTreeMap<String, String>, usize)> {
    let mut map = BTreeMap::new();
    let mut rest = bytes;
    while let Some((key, value, length)) = first_record(rest, bug) {
        map.insert(key, value);
        rest = &rest[length..];
    }
    let end = bytes.len() - rest.len();
    if bug == Some(Bug::TrustLength) && !rest.is_empty() {
        let text = format!("no record at byte {end} of {}", bytes.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok((map, end))
}

/// A record: the length of its body, the checksum, the body. The body is the key's length, the
/// key, and the value.
fn record(key: &str, value: &str) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).expect("a text of less than 4 GiB");
    let mut body = number(key.len()).to_le_bytes().to_vec();
    body.extend(key.as_bytes());
    body.extend(value.as_bytes());
    let length = number(body.len()).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(checksum(length, &body).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// The key, the value and the length of the record at the beginning, if it is a whole one.
fn first_record(bytes: &[u8], bug: Option<Bug>) -> Option<(String, String, usize)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let is_whole = checksum(*length, body) == u32::from_le_bytes(*sum);
    if !is_whole && bug != Some(Bug::NoChecksum) {
        return None;
    }
    let (key_length, texts) = body.split_first_chunk()?;
    let (key, value) = texts.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(key), text(value), HEAD_BYTES + body.len()))
}

/// Of the length too: the checksum of nothing is 0, so that bytes that were never written would
/// otherwise be a record.
fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&length);
    sum.update(body);
    sum.finalize()
}

/// The length and the checksum.
const HEAD_BYTES: usize = 8;
/// The file that is the log, and the one that is about to be.
const LOG: &str = "wal";
const SHORTER: &str = "wal.shorter";

#[cfg(test)]
mod tests {
    use stormglass::fs::blocking::with_disk;
    use stormglass::fs::{DetachedDisk, DiskFaults, DiskScope};
    use stormglass::kernel::Probability;

    use super::*;

    #[test]
    fn it_holds_what_it_was_told() {
        with_disk(&DetachedDisk::new(), || {
            let mut wal = Wal::open("/", None).unwrap();
            wal.set("a", "1").unwrap();
            wal.set("b", "2").unwrap();
            wal.set("a", "3").unwrap();
            wal.compact().unwrap();
            wal.set("b", "4").unwrap();
            let again = Wal::open("/", None).unwrap();
            assert_eq!(again.map(), wal.map());
            let held: Vec<_> = again.map().values().collect();
            assert_eq!(held, ["3", "4"]);
        });
    }

    #[test]
    fn a_torn_record_is_the_end() {
        let whole = [record("a", "1"), record("b", "2")].concat();
        for cut in 0..whole.len() {
            let (map, end) = recover(&whole[..cut], None).unwrap();
            let records = usize::from(cut >= record("a", "1").len());
            assert_eq!((map.len(), end), (records, records * whole.len() / 2));
        }
        assert_eq!(recover(&[0; 64], None).unwrap().1, 0);
    }

    #[test]
    fn a_sync_that_failed_is_the_end() {
        let disk = DetachedDisk::new();
        with_disk(&disk, || {
            let mut wal = Wal::open("/", None).unwrap();
            wal.set("a", "1").unwrap();
            let failing = DiskFaults {
                sync_error: Probability::ALWAYS,
                ..DiskFaults::NONE
            };
            let fault = disk.fault(DiskScope::default(), failing);
            assert!(wal.set("a", "2").is_err());
            fault.end();
            assert!(wal.set("a", "3").is_err());
            assert!(wal.compact().is_err());
            disk.crash();
            let again = Wal::open("/", None).unwrap();
            assert_eq!(again.map()["a"], "1");
        });
    }
}
