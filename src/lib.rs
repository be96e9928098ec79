//! Deterministic simulation testing for distributed systems.
//!
//! A whole cluster runs in one thread, on a simulated clock, network and disks, while a test
//! crashes nodes, cuts links and bends clocks. Every decision comes from a seed, so a run that
//! fails fails again.
//!
//! ```
//! use stormglass::io::{AsyncReadExt, AsyncWriteExt};
//! use stormglass::net::{TcpListener, TcpStream};
//!
//! stormglass::run(stormglass::Config::default(), |sim| async move {
//!     sim.node("server").run(|_| async {
//!         let listener = TcpListener::bind("0.0.0.0:7").await?;
//!         loop {
//!             let (mut stream, _) = listener.accept().await?;
//!             let mut line = [0; 5];
//!             stream.read_exact(&mut line).await?;
//!             stream.write_all(&line).await?;
//!         }
//!         #[allow(unreachable_code)]
//!         std::io::Result::Ok(())
//!     });
//!     let client = sim.node("client").idle();
//!     let echo = client.spawn(async {
//!         let mut stream = TcpStream::connect("server:7").await?;
//!         stream.write_all(b"hello").await?;
//!         let mut line = [0; 5];
//!         stream.read_exact(&mut line).await?;
//!         std::io::Result::Ok(line)
//!     });
//!     assert_eq!(&echo.await.unwrap().unwrap(), b"hello");
//! });
//! ```
//!
//! Start with [`test`](macro@test) and [`Sim`]; a program under test uses [`net`], [`fs`],
//! [`time`], [`task`], [`sync`], [`io`] and [`rand`], which have tokio's names.
//!
//! # Environment
//!
//! | variable | meaning |
//! |---|---|
//! | `STORMGLASS_SEED=7` | run this seed alone |
//! | `STORMGLASS_SEEDS=100` or `5..10` | run so many seeds from the test's first on, or these |
//! | `STORMGLASS_CHECK=1` | run each seed again in a fresh process and compare all events |
//! | `STORMGLASS_LOG=debug` | print `tracing` events up to this level, with time, node and step |
//! | `STORMGLASS_SCENARIO=FILE` | replay a saved failure, with its seed and configuration |
//! | `STORMGLASS_SHRINK=1` or `30s` | shrink a failure before its report, for a minute or so long |
//! | `STORMGLASS_DIR=DIR` | where failures are saved; else `target/stormglass` |
//!
//! # Features
//!
//! | feature | what it gives |
//! |---|---|
//! | `sim` | the simulation; on by default |
//! | `real` | instead of it, those modules as tokio's own: one source serves both |
//! | `hyper` | what hyper asks of a runtime, simulated and real |
//! | `proptest` | strategies of proptest (`fault::strategy`) for fault plans and workloads |
//! | `futures-io` | the I/O traits of the crate `futures` on simulated streams |

#[cfg(not(any(feature = "sim", feature = "real")))]
compile_error!("switch on the feature `sim` (the default) or `real` of stormglass");

#[cfg(feature = "sim")]
mod exec;
#[cfg(feature = "sim")]
pub mod fault;
#[cfg(feature = "sim")]
pub mod kernel;
#[cfg(feature = "sim")]
mod model;
#[cfg(feature = "sim")]
mod sys;

#[cfg(feature = "sim")]
pub mod fs;
#[cfg(any(feature = "sim", feature = "real"))]
pub mod io;
#[cfg(feature = "sim")]
pub mod net;
#[cfg(any(feature = "sim", feature = "real"))]
mod point;
#[cfg(any(feature = "sim", feature = "real"))]
pub mod property;
#[cfg(any(feature = "sim", feature = "real"))]
pub mod rand;
#[cfg(feature = "sim")]
pub mod sync;
#[cfg(feature = "sim")]
pub mod task;
#[cfg(feature = "sim")]
pub mod time;

#[cfg(all(feature = "hyper", any(feature = "sim", feature = "real")))]
pub mod hyper;

#[cfg(feature = "sim")]
pub mod check;
#[cfg(feature = "sim")]
pub mod explore;
#[cfg(feature = "sim")]
mod report;
#[cfg(feature = "sim")]
pub mod run;
#[cfg(feature = "sim")]
mod select;
#[cfg(feature = "sim")]
pub mod sim;

/// What the expansions of this crate's macros call.
#[cfg(any(feature = "sim", feature = "real"))]
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "sim")]
    pub use crate::exec::select_start;
    pub use crate::point::{buggify, pass_point};
    pub use std::string::String;
    pub use std::{concat, file, format, line, stringify};

    #[cfg(feature = "sim")]
    pub use crate::exec::PropertySite;
    #[cfg(feature = "sim")]
    pub use crate::property::margin;
    #[cfg(feature = "sim")]
    pub use crate::select::*;
}

/// Known bugs for this crate's own tests.
#[cfg(feature = "mutants")]
#[doc(hidden)]
pub mod mutants {
    pub use crate::model::net::{Mutant, with_mutant};
}

#[cfg(feature = "sim")]
pub use exec::{Failed, Failure, Leak, Moment, OnPanic, Policy, WaitingTask};
#[cfg(feature = "sim")]
pub use report::HistoryPage;
#[cfg(feature = "sim")]
pub use run::run;
#[cfg(feature = "sim")]
pub use sim::{Config, Sim};
#[cfg(feature = "sim")]
pub use stormglass_macros::test;
#[cfg(feature = "sim")]
pub use sys::{EscapeKind, INTERPOSED};

#[cfg(all(feature = "real", not(feature = "sim")))]
mod real;
#[cfg(all(feature = "real", not(feature = "sim")))]
pub use real::{fs, net, sync, task, time};
#[cfg(all(feature = "real", not(feature = "sim")))]
pub use tokio::{join, select, try_join};
