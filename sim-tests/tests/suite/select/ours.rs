//! The cases with Stormglass's macros: that theirs is the same.

use stormglass::{join, select, try_join};

#[path = "cases.rs"]
mod cases;
