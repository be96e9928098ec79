//! The ids by which everything in a simulation is named, in the form that reports print.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($repr:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($repr);

        impl $name {
            /// The id with this number.
            #[must_use]
            pub const fn new(number: $repr) -> Self {
                Self(number)
            }

            /// The number of this id.
            #[must_use]
            pub const fn number(self) -> $repr {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id! {
    /// A simulated machine, numbered in the order of creation; `n0` runs the test itself.
    NodeId(u32), "n"
}
id! {
    /// A task, numbered in the order of spawning across all nodes and never reused.
    TaskId(u64), "t"
}
id! {
    /// The position of a record in the trace: every record has one, one higher than the last.
    Step(u64), "e"
}

impl TaskId {
    /// What a task is called that was never spawned, since its node was not running.
    pub const NEVER_SPAWNED: Self = Self(u64::MAX);
}

impl NodeId {
    /// The node on which the test's own code runs.
    pub const TEST: Self = Self(0);

    /// This id as an index into a table of nodes.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
