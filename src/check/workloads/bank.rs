//! Accounts whose total stays the same.

use super::{Asked, Fault};
use crate::check::history::{History, Malformed, Value};

/// What a bank promises.
#[derive(Clone, Debug)]
pub struct Bank {
    /// The sum over all accounts.
    pub total: i64,
    /// The accounts.
    pub accounts: Vec<Value>,
    /// Whether an account may be below zero.
    pub may_be_negative: bool,
}

const HELP: &str = "a read gives a map of accounts to whole numbers";

/// Judges the workload `bank`: `transfer`s between accounts, and `read`s of all, whose answer is a
/// map from account to balance. Each read must have the right accounts and the right total, and no
/// negative balance unless that is allowed.
///
/// Blind spots: a transfer that is lost or done twice keeps the total; only torn ones change it.
///
/// # Errors
/// If a read is no such map.
pub fn check_bank(bank: &Bank, history: &History) -> Result<Vec<Fault>, Malformed> {
    let mut faults = Vec::new();
    let mut accounts = bank.accounts.clone();
    accounts.sort_unstable();
    for read in Asked::all(history).filter(|asked| asked.invoke.f == "read") {
        let pairs = match read.ok() {
            None => continue,
            Some(Value::Map(pairs)) => pairs,
            Some(_) => return Err(read.wrong(HELP)),
        };
        let mut total = 0_i128;
        for (account, balance) in pairs {
            let balance = balance.as_int().ok_or_else(|| read.wrong(HELP))?;
            total += i128::from(balance);
            if balance < 0 && !bank.may_be_negative {
                let because = format!("account {account} has {balance}");
                faults.push(Fault::new("negative", &[read.id], because));
            }
        }
        let mut seen: Vec<&Value> = pairs.iter().map(|(account, _)| account).collect();
        seen.sort_unstable();
        if !seen.iter().copied().eq(&accounts) {
            let because = format!(
                "{} accounts are read, and {} are there",
                seen.len(),
                accounts.len()
            );
            faults.push(Fault::new("accounts", &[read.id], because));
        } else if total != i128::from(bank.total) {
            let because = format!("the total is {total}, and should be {}", bank.total);
            faults.push(Fault::new("total", &[read.id], because));
        }
    }
    Ok(faults)
}
