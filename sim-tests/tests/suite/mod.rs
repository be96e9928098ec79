//! One module for each behaviour.

mod attribute;
mod child;
mod clocks;
mod conformance;
mod doctor;
mod echo;
mod escapes;
mod executor;
mod failures;
mod first_cluster;
mod interposed;
mod invariants;
mod leaks;
mod names;
mod nested;
mod net;
mod net_faults;
mod processes;
mod rand;
mod readme;
mod scenario;
mod select;
mod send_sync;
mod sync;
mod tidy;
mod time;
