//! Isolation levels, which is stronger than which, and which anomaly violates which.
//!
//! Levels and anomalies: Adya, "Weak consistency" (MIT thesis, 1999), chapters 3 and 4 (PL-1, PL-2,
//! PL-2+, PL-2.99, PL-SI, PL-3); Cerone, Bernardi & Gotsman, "A framework for transactional
//! consistency models with atomic visibility" (CONCUR 2015) for read atomic and parallel snapshot
//! isolation; Daudjee & Salem, "Lazy database replication with ordering guarantees" (ICDE 2004) for
//! the strong and strong session forms. The names of anomalies are those of Kingsbury & Alvaro,
//! "Elle" (VLDB 2020).

use core::fmt;

/// What is promised of transactions, apart from sessions and real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// PL-1: writes of transactions are not interleaved.
    ReadUncommitted,
    /// PL-2: what is read was committed, in its final form, and information flows one way.
    ReadCommitted,
    /// All writes of a transaction are seen at once, and its own are seen by itself.
    ReadAtomic,
    /// PL-2+: each transaction sees a consistent state.
    ConsistentView,
    /// Snapshots whose order may differ from place to place.
    ParallelSnapshot,
    /// PL-SI: snapshots, and no two concurrent writers of a key.
    Snapshot,
    /// PL-2.99: as serializable, but for predicates.
    RepeatableRead,
    /// PL-3: as if one after the other.
    Serializable,
}

/// With respect to which order a level is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Any.
    Plain,
    /// That of each process.
    Session,
    /// That of real time.
    RealTime,
}

/// An isolation level in one of its strengths; `strong-serializable` is strict serializability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level {
    /// What is promised.
    pub isolation: Isolation,
    /// With respect to which order.
    pub strength: Strength,
}

/// What went wrong among transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// A cycle of writes.
    G0,
    /// A write upon one that was aborted.
    DirtyUpdate,
    /// A read of what was aborted.
    G1a,
    /// A read of what its transaction wrote over.
    G1b,
    /// A cycle of writes and reads.
    G1c,
    /// A read of what nobody wrote.
    Garbage,
    /// One element twice in a list.
    Duplicate,
    /// Two reads of a list of which none begins the other.
    IncompatibleOrder,
    /// A transaction that does not see its own writes, or reads a key twice differently.
    Internal,
    /// Two transactions that read the same version and replaced it.
    LostUpdate,
    /// A cycle with one anti-dependency.
    GSingle,
    /// A cycle with several anti-dependencies, of which no two follow one another.
    GNonadjacent,
    /// A cycle with anti-dependencies.
    G2Item,
}

impl Class {
    /// The name in the literature.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::G0 => "G0",
            Self::DirtyUpdate => "dirty-update",
            Self::G1a => "G1a",
            Self::G1b => "G1b",
            Self::G1c => "G1c",
            Self::Garbage => "garbage-read",
            Self::Duplicate => "duplicate-elements",
            Self::IncompatibleOrder => "incompatible-order",
            Self::Internal => "internal",
            Self::LostUpdate => "lost-update",
            Self::GSingle => "G-single",
            Self::GNonadjacent => "G-nonadjacent",
            Self::G2Item => "G2-item",
        }
    }

    /// The weakest levels that exclude it.
    #[must_use]
    pub fn violates(self) -> &'static [Isolation] {
        use Isolation::{
            ConsistentView, ReadAtomic, ReadCommitted, ReadUncommitted, RepeatableRead, Snapshot,
        };
        match self {
            // No order of versions explains these.
            Self::G0 | Self::Garbage | Self::Duplicate => &[ReadUncommitted],
            Self::IncompatibleOrder | Self::DirtyUpdate | Self::G1a | Self::G1b | Self::G1c => {
                &[ReadCommitted]
            }
            Self::Internal => &[ReadAtomic, ConsistentView, RepeatableRead],
            Self::LostUpdate | Self::GSingle => &[ConsistentView, RepeatableRead],
            Self::GNonadjacent => &[Snapshot, RepeatableRead],
            Self::G2Item => &[RepeatableRead],
        }
    }
}

impl Isolation {
    const ALL: [Self; 8] = [
        Self::ReadUncommitted,
        Self::ReadCommitted,
        Self::ReadAtomic,
        Self::ConsistentView,
        Self::ParallelSnapshot,
        Self::Snapshot,
        Self::RepeatableRead,
        Self::Serializable,
    ];

    /// The levels right above it.
    fn stronger(self) -> &'static [Self] {
        match self {
            Self::ReadUncommitted => &[Self::ReadCommitted],
            Self::ReadCommitted => &[Self::ReadAtomic, Self::ConsistentView, Self::RepeatableRead],
            Self::ReadAtomic | Self::ConsistentView => &[Self::ParallelSnapshot],
            Self::ParallelSnapshot => &[Self::Snapshot],
            Self::Snapshot | Self::RepeatableRead => &[Self::Serializable],
            Self::Serializable => &[],
        }
    }

    /// Whether it promises all that another does.
    #[must_use]
    pub fn implies(self, other: Self) -> bool {
        self == other || other.stronger().iter().any(|above| self.implies(*above))
    }

    fn name(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "read-uncommitted",
            Self::ReadCommitted => "read-committed",
            Self::ReadAtomic => "read-atomic",
            Self::ConsistentView => "consistent-view",
            Self::ParallelSnapshot => "parallel-snapshot-isolation",
            Self::Snapshot => "snapshot-isolation",
            Self::RepeatableRead => "repeatable-read",
            Self::Serializable => "serializable",
        }
    }
}

impl Strength {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Session, Self::RealTime];
}

impl Level {
    /// Whether it promises all that another does.
    #[must_use]
    pub fn implies(self, other: Self) -> bool {
        self.strength >= other.strength && self.isolation.implies(other.isolation)
    }

    /// The level of a name, such as `snapshot-isolation` or `strong-session-serializable`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "strict-serializable" {
            "strong-serializable"
        } else {
            name
        };
        Self::all().find(|level| level.to_string() == name)
    }

    fn all() -> impl Iterator<Item = Self> {
        Isolation::ALL.into_iter().flat_map(|isolation| {
            Strength::ALL.map(|strength| Self {
                isolation,
                strength,
            })
        })
    }

    /// The weakest levels that are violated, and the strongest that are not, by what was found.
    pub(super) fn judge(found: &[(Class, Strength)]) -> (Vec<Self>, Vec<Self>) {
        let is_violated = |level: &Self| {
            found.iter().any(|(class, strength)| {
                let violates = |isolation: &Isolation| {
                    level.implies(Self {
                        isolation: *isolation,
                        strength: *strength,
                    })
                };
                class.violates().iter().any(violates)
            })
        };
        let (violated, satisfied): (Vec<Self>, Vec<Self>) = Self::all().partition(is_violated);
        let weakest = violated.iter().filter(|level| {
            let mut others = violated.iter().filter(|other| other != level);
            !others.any(|other| level.implies(*other))
        });
        let strongest = satisfied.iter().filter(|level| {
            let mut others = satisfied.iter().filter(|other| other != level);
            !others.any(|other| other.implies(**level))
        });
        (weakest.copied().collect(), strongest.copied().collect())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strength = match self.strength {
            Strength::Plain => "",
            Strength::Session => "strong-session-",
            Strength::RealTime => "strong-",
        };
        write!(f, "{strength}{}", self.isolation.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(levels: &[Level]) -> Vec<String> {
        levels.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn levels_are_judged_by_what_was_found() {
        let (weakest, strongest) = Level::judge(&[]);
        assert!(weakest.is_empty());
        assert_eq!(names(&strongest), ["strong-serializable"]);
        let (weakest, strongest) = Level::judge(&[(Class::G2Item, Strength::Plain)]);
        assert_eq!(names(&weakest), ["repeatable-read"]);
        assert_eq!(names(&strongest), ["strong-snapshot-isolation"]);
        let (weakest, strongest) = Level::judge(&[(Class::GSingle, Strength::RealTime)]);
        assert_eq!(
            names(&weakest),
            ["strong-consistent-view", "strong-repeatable-read"]
        );
        assert_eq!(
            names(&strongest),
            ["strong-read-atomic", "strong-session-serializable"]
        );
        let (_, strongest) = Level::judge(&[(Class::G0, Strength::Plain)]);
        assert!(strongest.is_empty());
    }

    #[test]
    fn levels_have_names() {
        for level in Level::all() {
            assert_eq!(Level::named(&level.to_string()), Some(level));
        }
        let strict = Level::named("strict-serializable").unwrap();
        assert!(strict.implies(Level::named("snapshot-isolation").unwrap()));
        assert_eq!(Level::named("serialisable"), None);
    }
}
