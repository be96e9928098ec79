//! The table of sockets, and how one is named.

pub(super) use crate::model::slab::Slab;
pub(crate) use crate::model::slab::SlotId as SocketId;
