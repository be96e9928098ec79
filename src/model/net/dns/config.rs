//! How the name server behaves, as plain data.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::{Distribution, DistributionError, Probability};

/// How the name server behaves. Static entries, addresses as text and `localhost` never ask it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsConfig {
    /// The time from a question to its answer, drawn for each lookup.
    pub delay: Distribution,
    /// The chance that a lookup fails for now, whether or not the name exists.
    pub failure: Probability,
    /// The chance that an answer is what was true before the name's last change: its old addresses,
    /// or none if it had none. A name that was never changed has only one answer.
    pub stale: Probability,
    /// In which order the addresses of a name are given.
    pub order: AddressOrder,
}

/// In which order the addresses of a name are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AddressOrder {
    /// As they were given to the name.
    #[default]
    AsGiven,
    /// Beginning with one of them that is drawn for each lookup, and then round.
    Rotated,
}

impl Default for DnsConfig {
    /// Every lookup is answered at once, truly, and in order.
    fn default() -> Self {
        Self {
            delay: Distribution::Constant(Duration::ZERO),
            failure: Probability::NEVER,
            stale: Probability::NEVER,
            order: AddressOrder::AsGiven,
        }
    }
}

impl DnsConfig {
    /// Checks that the delay makes sense.
    ///
    /// # Errors
    /// The first parameter of the delay that makes none.
    pub fn validate(&self) -> Result<(), DistributionError> {
        self.delay.validate()
    }
}
