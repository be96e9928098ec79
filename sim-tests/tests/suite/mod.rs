mod clocks;
mod escapes;
mod executor;
mod failures;
mod interposed;
mod processes;
mod send_sync;
mod time;
