//! State that each incarnation of each node has for itself.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::exec::context;

/// Declares statics of which each incarnation of each node has its own.
///
/// What a real program keeps in a `static` or a `thread_local!` is shared by all simulated nodes,
/// which live in one process; this is not. A node that restarts finds the initial value again.
///
/// ```
/// use std::cell::Cell;
/// use stormglass::node_local;
///
/// node_local! {
///     static REQUESTS: Cell<u64> = Cell::new(0);
/// }
///
/// # stormglass::sim::Builder::new().run(|_| async {
/// REQUESTS.with(|requests| requests.set(requests.get() + 1));
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! node_local {
    ($($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty = $init:expr;)+) => {
        $(
            $(#[$attr])*
            $vis static $name: $crate::sim::NodeLocal<$type> = {
                static KEY: ::std::sync::atomic::AtomicUsize =
                    ::std::sync::atomic::AtomicUsize::new(0);
                $crate::sim::NodeLocal::__new(&KEY, || $init)
            };
        )+
    };
}

/// A static of which each incarnation of each node has its own; made by
/// [`node_local!`](crate::node_local).
pub struct NodeLocal<T: 'static> {
    key: &'static AtomicUsize,
    init: fn() -> T,
    /// The value lives in the simulation, not in the static.
    value: PhantomData<fn() -> T>,
}

/// Keys tell statics apart within a process and are never ordered or printed.
static NEXT_KEY: AtomicUsize = AtomicUsize::new(1);

impl<T: 'static> NodeLocal<T> {
    #[doc(hidden)]
    pub const fn __new(key: &'static AtomicUsize, init: fn() -> T) -> Self {
        Self {
            key,
            init,
            value: PhantomData,
        }
    }

    /// Calls `f` with the running incarnation's value, which is made first if need be.
    ///
    /// # Panics
    /// If this thread runs no simulation.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let key = self.key();
        let found = context::world(|world, id| {
            let locals = &world.node(id).locals;
            locals
                .iter()
                .find(|(other, _)| *other == key)
                .map(|(_, value)| value.clone())
        });
        let value = found.unwrap_or_else(|| {
            // Made while the world is not borrowed: the initial value is the program's code.
            let value: Rc<dyn Any> = Rc::new((self.init)());
            // A destructor of a dead incarnation must leave nothing to the next.
            if !context::is_dead() {
                context::world(|world, id| world.node_mut(id).locals.push((key, value.clone())));
            }
            value
        });
        f(value
            .downcast_ref()
            .expect("a key belongs to one static, of one type"))
    }

    fn key(&self) -> usize {
        match self.key.load(Ordering::Relaxed) {
            0 => {
                let fresh = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
                let exchanged =
                    self.key
                        .compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
                exchanged.map_or_else(|other| other, |_| fresh)
            }
            key => key,
        }
    }
}
