//! Files of the running node, in tokio's names.
//!
//! Floor 4. There are no files yet but the paths of Unix sockets.

use std::io;
use std::path::Path;

use crate::exec::context;
use crate::kernel::Kind;

/// Removes the path of a Unix socket, which goes on and can no longer be found by it.
///
/// # Errors
/// `NotFound` if there is no such path, or the node has ended.
///
/// # Panics
/// If this thread runs no simulation.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    context::with(|context| {
        if context.current.dead.get() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let node = context.current.node.get();
        context.world(|world| {
            let result = world.net.unix_remove(&mut world.base, node, path.as_ref());
            if let Err(error) = &result {
                let code = error.raw_os_error().unwrap_or(0);
                let value = u64::from(code.unsigned_abs());
                world.base.record(node, Kind::CallFailed, 0, value);
            }
            result
        })
    })
}
