//! The names of the simulation on a real machine: tokio's own, with nothing in between.
//!
//! Takes the place of floor 4 under the feature `real`. It lists what the simulation has, name by
//! name, so that a program that compiles here compiles there; what only one of them has is not
//! part of the pair.

/// Files of the operating system.
pub mod fs {
    pub use std::fs::{FileType, Metadata, Permissions};
    pub use tokio::fs::{
        DirBuilder, DirEntry, File, OpenOptions, ReadDir, canonicalize, copy, create_dir,
        create_dir_all, hard_link, metadata, read, read_dir, read_link, read_to_string, remove_dir,
        remove_dir_all, remove_file, rename, set_permissions, symlink, symlink_metadata,
        try_exists, write,
    };

    /// Calls that do not wait.
    pub mod blocking {
        pub use std::fs::{
            DirBuilder, DirEntry, File, FileTimes, FileType, Metadata, OpenOptions, Permissions,
            ReadDir, canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata,
            read, read_dir, read_link, read_to_string, remove_dir, remove_dir_all, remove_file,
            rename, set_permissions, symlink_metadata, write,
        };
        pub use std::os::unix::fs::symlink;
    }
}

/// Sockets of the operating system.
pub mod net {
    pub use tokio::io::{Interest, Ready};
    pub use tokio::net::{
        TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket, UnixDatagram, UnixListener,
        UnixStream, lookup_host,
    };

    /// Parts of a TCP stream.
    pub mod tcp {
        pub use tokio::net::tcp::{
            OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf,
        };
    }

    /// Parts of Unix sockets.
    pub mod unix {
        pub use tokio::net::unix::{
            OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, SocketAddr, UCred, WriteHalf,
            gid_t, pid_t, uid_t,
        };
    }
}

/// Channels, locks and signals between tasks.
pub mod sync {
    pub use tokio::sync::{
        AcquireError, Barrier, BarrierWaitResult, MappedMutexGuard, Mutex, MutexGuard, Notify,
        OnceCell, OwnedMappedMutexGuard, OwnedMutexGuard, OwnedRwLockMappedWriteGuard,
        OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock,
        RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
        SetError, SetOnce, SetOnceError, TryAcquireError, TryLockError, broadcast, futures, mpsc,
        oneshot, watch,
    };
}

/// Tasks of tokio's runtime, which the program starts as it likes.
pub mod task {
    pub use tokio::task::{
        AbortHandle, Id, JoinError, JoinHandle, JoinSet, block_in_place, id, spawn, spawn_blocking,
        spawn_local, try_id, yield_now,
    };
}

/// Time as the machine has it.
pub mod time {
    pub use tokio::time::{
        Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout, error, interval,
        interval_at, sleep, sleep_until, timeout, timeout_at,
    };

    /// The wall clock, as time since 1970; zero if it shows an earlier time.
    #[must_use]
    #[expect(
        clippy::disallowed_types,
        reason = "outside the simulation it is the wall clock"
    )]
    pub fn wall_clock() -> Duration {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }
}
