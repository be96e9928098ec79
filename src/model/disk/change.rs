//! Changes of a file system that are not durable yet: what was done, in pieces that a loss of
//! power keeps or loses.
//!
//! Owns the vocabulary. Which changes may be kept without which is the [profile](super::profile)'s
//! to say.

use core::panic::Location;

use super::image::{Attributes, Ino, Name};
use super::page::{PAGE_BYTES, Page, Sectors};

/// One change. Later ones of a run may be durable before earlier ones.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Bytes were written.
    Data {
        ino: Ino,
        /// From low to high.
        patches: Vec<Patch>,
        /// It wrote beyond the end of the file as it was then.
        grows: bool,
        /// It wrote where a shortening that is not durable yet took bytes away.
        regrows: bool,
    },
    /// A file became longer or shorter.
    Size { ino: Ino, from: u64, to: u64 },
    /// A name was given to an inode, and taken from another that had it.
    Link {
        dir: Ino,
        name: Name,
        ino: Ino,
        /// Who had the name.
        replaced: Option<Ino>,
    },
    /// A name was taken from an inode.
    Unlink { dir: Ino, name: Name, ino: Ino },
    /// An inode's name was changed for another, at once.
    Rename {
        ino: Ino,
        from: (Ino, Name),
        to: (Ino, Name),
        /// Who had the new name.
        replaced: Option<Ino>,
    },
    /// Permissions or times were changed.
    Attributes { ino: Ino, attributes: Attributes },
}

/// Bytes written to one page: the page as it was afterwards, and which sectors were written.
///
/// A page is written back as it is in the cache then, so that a sector holds what some write left
/// in it, and all earlier ones of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    pub(crate) index: u64,
    pub(crate) page: Page,
    pub(crate) sectors: Sectors,
}

/// A change that was made and is not durable.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    /// Its place among all changes of the disk.
    pub(crate) number: u64,
    /// Which call of the program made it; a call may make several.
    pub(crate) call: u64,
    /// Where the program made that call, if it is known.
    pub(crate) place: Option<&'static Location<'static>>,
    pub(crate) change: Change,
}

impl Change {
    /// The inode that it is about: of a name, the one that has it or had it.
    pub(crate) const fn ino(&self) -> Ino {
        match self {
            Self::Data { ino, .. }
            | Self::Size { ino, .. }
            | Self::Link { ino, .. }
            | Self::Unlink { ino, .. }
            | Self::Rename { ino, .. }
            | Self::Attributes { ino, .. } => *ino,
        }
    }

    /// Whether it changes names in that directory.
    pub(crate) fn is_in(&self, directory: Ino) -> bool {
        match self {
            Self::Link { dir, .. } | Self::Unlink { dir, .. } => *dir == directory,
            Self::Rename { from, to, .. } => from.0 == directory || to.0 == directory,
            Self::Data { .. } | Self::Size { .. } | Self::Attributes { .. } => false,
        }
    }

    /// Whether it mentions that inode in any way.
    pub(crate) fn mentions(&self, ino: Ino) -> bool {
        let replaced = match self {
            Self::Link { replaced, .. } | Self::Rename { replaced, .. } => *replaced,
            Self::Data { .. }
            | Self::Size { .. }
            | Self::Unlink { .. }
            | Self::Attributes { .. } => None,
        };
        self.ino() == ino || self.is_in(ino) || replaced == Some(ino)
    }

    /// The pages that it writes.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (Ino, u64)> {
        let patches = match self {
            Self::Data { patches, .. } => &patches[..],
            Self::Size { .. }
            | Self::Link { .. }
            | Self::Unlink { .. }
            | Self::Rename { .. }
            | Self::Attributes { .. } => &[],
        };
        let ino = self.ino();
        patches.iter().map(move |patch| (ino, patch.index))
    }

    /// Bytes that are kept in memory for it.
    pub(crate) fn cost_bytes(&self) -> u64 {
        match self {
            Self::Data { patches, .. } => (patches.len() * PAGE_BYTES) as u64,
            Self::Size { .. }
            | Self::Link { .. }
            | Self::Unlink { .. }
            | Self::Rename { .. }
            | Self::Attributes { .. } => 0,
        }
    }
}
