//! Who waits for what: wakers behind the tokens that models give out.
//!
//! A model answers a call that cannot be served yet with a [`Token`]; the handle registers its
//! waker here, and the model wakes the token when it is worth asking again.

use std::task::Waker;

use crate::model::net::Token;

/// The wakers waiting on each token.
#[derive(Default)]
pub(crate) struct Waiters {
    slots: Vec<Slot>,
    free: Vec<Token>,
}

/// Nearly always one task waits, so the first waker needs no allocation.
#[derive(Default)]
struct Slot {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Waiters {
    /// A token on which nobody waits.
    pub(crate) fn token(&mut self) -> Token {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            let number = u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 tokens");
            Token(number)
        })
    }

    /// Gives a token back; whoever still waits on it is woken, to find its handle gone.
    pub(crate) fn free(&mut self, token: Token, woken: &mut Vec<Waker>) {
        self.wake(token, woken);
        self.free.push(token);
    }

    /// Adds `waker` to those that wait on `token`, unless it does already.
    #[inline]
    pub(crate) fn wait(&mut self, token: Token, waker: &Waker) {
        let slot = &mut self.slots[token.0 as usize];
        match &mut slot.first {
            None => slot.first = Some(waker.clone()),
            Some(first) if first.will_wake(waker) => {}
            Some(_) => {
                if !slot.more.iter().any(|other| other.will_wake(waker)) {
                    slot.more.push(waker.clone());
                }
            }
        }
    }

    /// Takes `waker` out of those that wait on `token`, to be dropped when the world is no longer
    /// borrowed.
    pub(crate) fn forget(&mut self, token: Token, waker: &Waker) -> Option<Waker> {
        let slot = &mut self.slots[token.0 as usize];
        if slot
            .first
            .as_ref()
            .is_some_and(|first| first.will_wake(waker))
        {
            return slot.first.take();
        }
        let index = slot.more.iter().position(|other| other.will_wake(waker))?;
        Some(slot.more.remove(index))
    }

    /// Moves all who wait on `token` to `woken`, in the order in which they came.
    #[inline]
    pub(crate) fn wake(&mut self, token: Token, woken: &mut Vec<Waker>) {
        let slot = &mut self.slots[token.0 as usize];
        woken.extend(slot.first.take());
        woken.append(&mut slot.more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Wake;

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn all_who_wait_are_woken_once_in_order() {
        let mut waiters = Waiters::default();
        let token = waiters.token();
        let wakers: Vec<Waker> = (0..3).map(|_| Arc::new(Nothing).into()).collect();
        for waker in wakers.iter().chain(&wakers) {
            waiters.wait(token, waker);
        }
        let mut woken = Vec::new();
        waiters.wake(token, &mut woken);
        assert_eq!(woken.len(), 3);
        assert!(woken.iter().zip(&wakers).all(|(a, b)| a.will_wake(b)));
        woken.clear();
        waiters.wake(token, &mut woken);
        assert!(woken.is_empty());
    }

    #[test]
    fn whoever_is_forgotten_is_not_woken() {
        let mut waiters = Waiters::default();
        let token = waiters.token();
        let wakers: Vec<Waker> = (0..3).map(|_| Arc::new(Nothing).into()).collect();
        for waker in &wakers {
            waiters.wait(token, waker);
        }
        assert!(waiters.forget(token, &wakers[1]).is_some());
        assert!(waiters.forget(token, &wakers[0]).is_some());
        assert!(waiters.forget(token, &wakers[0]).is_none());
        let mut woken = Vec::new();
        waiters.wake(token, &mut woken);
        assert!(woken.len() == 1 && woken[0].will_wake(&wakers[2]));
    }

    #[test]
    fn a_freed_token_is_used_again_and_holds_nobody() {
        let mut waiters = Waiters::default();
        let token = waiters.token();
        let waker: Waker = Arc::new(Nothing).into();
        waiters.wait(token, &waker);
        let mut woken = Vec::new();
        waiters.free(token, &mut woken);
        assert_eq!(woken.len(), 1);
        assert_eq!(waiters.token(), token);
        woken.clear();
        waiters.wake(token, &mut woken);
        assert!(woken.is_empty());
    }
}
