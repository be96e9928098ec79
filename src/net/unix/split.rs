//! Halves of a connection of Unix sockets.

use core::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::halves::halves;
use super::super::ready::{Interest, Ready};
use super::SocketAddr;
use super::stream::UnixStream;

halves!(UnixStream, SocketAddr);
