//! Who wrote each value of each key.

use crate::check::history::Malformed;
use crate::check::table::{Slots, hash_of, number};

use super::history::{NIL, Status, Transactions, What};

/// The writes of all transactions, by key and value.
pub(super) struct Writes {
    pub(super) txn: Vec<u32>,
    pub(super) key: Vec<u32>,
    pub(super) value: Vec<u32>,
    /// Whether it is its transaction's last of its key.
    pub(super) is_final: Vec<bool>,
    slots: Slots,
}

impl Writes {
    /// # Errors
    /// If a value is written to a key twice: then nobody can tell who was read.
    pub(super) fn of(txns: &Transactions) -> Result<Self, Malformed> {
        let mut this = Self {
            txn: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            is_final: Vec::new(),
            slots: Slots::default(),
        };
        for txn in 0..number(txns.len()) {
            let steps = txns.steps(txn);
            for (at, step) in steps.iter().enumerate() {
                let What::Write(value) = step.what else {
                    continue;
                };
                if this.find(step.key, value) != NIL {
                    let (key, value) = (txns.key(step.key), txns.value(value));
                    return Err(Malformed::new(
                        format!("{value} is written to key {key} twice"),
                        "each value may be written to a key once, so that it tells its writer",
                    ));
                }
                let is_later = |later: &&super::history::Step| {
                    later.key == step.key && matches!(later.what, What::Write(_))
                };
                let is_final = steps[at + 1..].iter().find(is_later).is_none();
                this.put(txn, step.key, value, is_final);
            }
        }
        Ok(this)
    }

    fn put(&mut self, txn: u32, key: u32, value: u32, is_final: bool) {
        let write = number(self.txn.len());
        self.txn.push(txn);
        self.key.push(key);
        self.value.push(value);
        self.is_final.push(is_final);
        let (keys, values) = (&self.key, &self.value);
        self.slots.put(hash_of(&(key, value)), write, |n| {
            hash_of(&(keys[n as usize], values[n as usize]))
        });
    }

    pub(super) fn len(&self) -> usize {
        self.txn.len()
    }

    /// The write of a value to a key, or [`NIL`].
    pub(super) fn find(&self, key: u32, value: u32) -> u32 {
        let is = |n: u32| self.key[n as usize] == key && self.value[n as usize] == value;
        self.slots.find(hash_of(&(key, value)), is).unwrap_or(NIL)
    }

    /// The transaction of a write.
    pub(super) fn txn(&self, write: u32) -> u32 {
        self.txn[write as usize]
    }

    /// What became of the transaction of a write.
    pub(super) fn status(&self, write: u32, txns: &Transactions) -> Status {
        txns.status(self.txn(write))
    }
}
