//! The cases with tokio's macros: what the grammar is.

use tokio::{join, select, try_join};

#[path = "cases.rs"]
mod cases;
