//! The life of one node's process: started, stood still, ended, started again.
//!
//! Owns which of these states a node is in and which incarnation runs. It must never know what
//! the program is or what becomes of its tasks.

use serde::{Deserialize, Serialize};

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was made and never started.
    New,
    /// Its program runs.
    Running,
    /// Its program was asked to stop and has not ended yet.
    Stopping,
    /// Its program returned by itself; the machine is up.
    Exited,
    /// Its program was stopped on request; the machine is up.
    Stopped,
    /// Its process died; the machine is up.
    Killed,
    /// It lost power; the machine is down.
    Crashed,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The program returned.
    Exit,
    /// The program was asked to stop, and returned or ran out of time.
    Stop,
    /// The process died.
    Kill,
    /// The machine lost power.
    Crash,
}

/// How a node stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standstill {
    /// It runs nothing; its clocks go on.
    Paused,
    /// It runs nothing and its monotonic clock stands still.
    Suspended,
}

/// The process of one node.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    state: State,
    standstill: Option<Standstill>,
    incarnation: u32,
}

impl Process {
    /// A process that was never started.
    pub(crate) const fn new() -> Self {
        Self {
            state: State::New,
            standstill: None,
            incarnation: 0,
        }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Which start of the program this is, from 1; 0 before the first.
    pub(crate) const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    pub(crate) const fn standstill(&self) -> Option<Standstill> {
        self.standstill
    }

    /// Whether tasks of this node may run now.
    pub(crate) const fn may_run(&self) -> bool {
        self.is_alive() && self.standstill.is_none()
    }

    /// Whether there is a program that has not ended.
    pub(crate) const fn is_alive(&self) -> bool {
        matches!(self.state, State::Running | State::Stopping)
    }

    /// Starts the next incarnation and gives its number; `None` if one is alive.
    pub(crate) const fn start(&mut self) -> Option<u32> {
        if self.is_alive() {
            return None;
        }
        self.state = State::Running;
        self.standstill = None;
        self.incarnation += 1;
        Some(self.incarnation)
    }

    /// Notes the request to stop; false if nothing is running.
    pub(crate) fn request_stop(&mut self) -> bool {
        let running = self.state == State::Running;
        if running {
            self.state = State::Stopping;
        }
        running
    }

    /// Ends the process; false if the end changes nothing. A machine whose process has ended can
    /// still lose power.
    pub(crate) fn end(&mut self, how: End) -> bool {
        let possible = match how {
            End::Crash => self.state != State::Crashed,
            End::Kill | End::Exit | End::Stop => self.is_alive(),
        };
        if possible {
            self.standstill = None;
            self.state = match how {
                End::Exit if self.state == State::Stopping => State::Stopped,
                End::Exit => State::Exited,
                End::Stop => State::Stopped,
                End::Kill => State::Killed,
                End::Crash => State::Crashed,
            };
        }
        possible
    }

    /// Stands still; false if it is not alive or stands still already.
    pub(crate) const fn stand_still(&mut self, how: Standstill) -> bool {
        let possible = self.may_run();
        if possible {
            self.standstill = Some(how);
        }
        possible
    }

    /// Goes on, and says what it did until now; `None` if it did not stand still.
    pub(crate) const fn resume(&mut self) -> Option<Standstill> {
        self.standstill.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life() {
        let mut process = Process::new();
        assert!(!process.may_run());
        assert_eq!(process.start(), Some(1));
        assert_eq!(process.start(), None, "it runs already");
        assert!(process.end(End::Kill));
        assert!(!process.end(End::Kill), "it is dead already");
        assert!(
            process.end(End::Crash),
            "a dead process's machine can lose power"
        );
        assert_eq!(process.state(), State::Crashed);
        assert_eq!(process.start(), Some(2));
        assert!(process.request_stop());
        assert!(!process.request_stop());
        assert!(process.end(End::Exit));
        assert_eq!(
            process.state(),
            State::Stopped,
            "a return after a request is a stop"
        );
    }

    #[test]
    fn standing_still_ends_with_the_process() {
        let mut process = Process::new();
        assert!(!process.stand_still(Standstill::Paused), "nothing runs");
        process.start();
        assert!(process.stand_still(Standstill::Suspended));
        assert!(!process.stand_still(Standstill::Paused));
        assert!(!process.may_run());
        assert!(process.end(End::Crash));
        assert_eq!(process.resume(), None);
        process.start();
        assert!(process.may_run());
        assert!(process.stand_still(Standstill::Paused));
        assert_eq!(process.resume(), Some(Standstill::Paused));
        assert!(process.may_run());
    }
}
