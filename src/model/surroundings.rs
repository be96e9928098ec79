//! What every model asks of the world around it, and how its calls say that they must wait.
//!
//! A call that cannot finish answers with the [`Token`] on which to wait; who waits, and how, no
//! model knows.

use crate::kernel::{Choices, EventKey, Kind, NodeId, SimTime, Step};

/// What a model asks of the world around it.
pub(crate) trait Surroundings {
    /// The time.
    fn now(&self) -> SimTime;
    /// The door to everything random.
    fn choices(&mut self) -> &mut Choices;
    /// Takes an event back, if it has not happened.
    fn cancel(&mut self, key: EventKey);
    /// Wakes all who wait on the token.
    fn wake(&mut self, token: Token);
    /// A new token.
    fn token(&mut self) -> Token;
    /// Gives a token back; nobody waits on it any more.
    fn free_token(&mut self, token: Token);
    /// Adds to the trace; the cause is the step being carried out.
    fn record(
        &mut self,
        kind: Kind,
        node: NodeId,
        subject: u64,
        value: u64,
        payload: &[u8],
    ) -> Step;
}

/// Something to wait on; allocated by the world, through [`Surroundings::token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) u32);

/// What a call gives that may have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// It is done.
    Done(T),
    /// Ask again when this token is woken.
    Wait(Token),
}

/// Who waits for something.
#[derive(Debug)]
pub(crate) struct Signal {
    pub(crate) token: Token,
    /// Whether anybody was told to wait since the last wake-up.
    pub(crate) armed: bool,
}

impl Signal {
    pub(crate) fn new<F: Surroundings>(fx: &mut F) -> Self {
        Self {
            token: fx.token(),
            armed: false,
        }
    }

    pub(crate) fn wait<T>(&mut self) -> Answer<T> {
        self.armed = true;
        Answer::Wait(self.token)
    }

    #[inline]
    pub(crate) fn wake<F: Surroundings>(&mut self, fx: &mut F) {
        if core::mem::take(&mut self.armed) {
            fx.wake(self.token);
        }
    }
}
