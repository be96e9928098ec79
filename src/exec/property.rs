//! What properties of a run were seen: how often each was reached and held.
//!
//! Owns the counts and the failure that a broken property is. It must never know why a property
//! should hold.

use core::fmt;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::context;
use super::failure::Failure;

/// What is claimed of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Claim {
    /// It holds whenever it is reached, and is reached.
    Always,
    /// It holds whenever it is reached.
    AlwaysOrUnreachable,
    /// It holds at least once in a campaign.
    Sometimes,
    /// It is reached at least once in a campaign.
    Reachable,
    /// It is never reached.
    Unreachable,
}

impl Claim {
    /// The macro's name, which reports print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::AlwaysOrUnreachable => "always_or_unreachable",
            Self::Sometimes => "sometimes",
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether a campaign must have seen it hold.
    #[must_use]
    pub const fn is_goal(self) -> bool {
        matches!(self, Self::Always | Self::Sometimes | Self::Reachable)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often a property was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyCount {
    /// What is claimed of it, in each place that names it; `None` of none yet.
    pub claim: Option<Claim>,
    /// How often it was reached.
    pub reached: u64,
    /// How often it held then.
    pub held: u64,
    /// The nearest that a number came to what would hold, below zero if it never held; `None` if
    /// it is no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<i64>,
}

/// How often each property was seen, by name.
pub type Properties = BTreeMap<String, PropertyCount>;

impl PropertyCount {
    /// Adds what another run saw of the same property.
    pub fn add(&mut self, other: &Self) {
        self.claim = self.claim.or(other.claim);
        self.reached += other.reached;
        self.held += other.held;
        self.margin = self.margin.max(other.margin);
    }
}

/// A place in a program that claims a property. The macros make one for each place.
#[doc(hidden)]
#[derive(Debug)]
pub struct PropertySite {
    /// What is claimed.
    pub claim: Claim,
    /// The property's name.
    pub name: &'static str,
    /// `file:line`.
    pub place: &'static str,
    /// A text that only this place has in the program's file, so that a tool which reads that file
    /// knows the place though no run ever comes to it.
    pub declared: &'static str,
}

impl PropertySite {
    /// The program came here, and the property held or not.
    pub fn reach(&self, holds: bool, margin: Option<i64>, detail: impl FnOnce() -> String) {
        // Read, so that the text is in the program.
        std::hint::black_box(self.declared);
        context::alive_if_any(|context| {
            let node = context.current.node.get();
            let broken = match self.claim {
                Claim::Always | Claim::AlwaysOrUnreachable => !holds,
                Claim::Unreachable => true,
                Claim::Sometimes | Claim::Reachable => false,
            };
            // The program's own words, for which it may look at the simulation.
            let detail = if broken { detail() } else { String::new() };
            context.world(|world| {
                let count = match world.properties.get_mut(self.name) {
                    Some(count) => count,
                    None => world.properties.entry(self.name.to_owned()).or_default(),
                };
                count.claim = Some(self.claim);
                count.reached += 1;
                count.held += u64::from(holds);
                count.margin = count.margin.max(margin);
                if broken {
                    let failure = Failure::Violation {
                        property: self.name.to_owned(),
                        message: format!("{} {detail}", self.claim).trim_end().to_owned(),
                        location: self.place.to_owned(),
                    };
                    world.fail(node, failure);
                }
            });
        });
    }
}
