//! What a person is shown: failures as text, histories as a page.
//!
//! Floor 8. It takes data only, never a running simulation.

pub(crate) mod divergence;
mod history;
pub(crate) mod text;

pub use history::HistoryPage;
