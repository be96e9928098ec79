//! From what a program calls a peer to its addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::handle::Home;
use crate::model::net::{Lookup, SocketId};

/// What can be turned into socket addresses: the types of tokio's trait of this name.
///
/// A host is the name of a node, `localhost`, any other name that was given addresses
/// (`Sim::names`), or an address as text.
pub trait ToSocketAddrs: sealed::Resolve {}

/// The addresses of a host, in the order in which a connection would try them.
///
/// ```
/// let outcome = stormglass::sim::Builder::new().run(|sim| async move {
///     let server = sim.node("server").idle();
///     let mut found = stormglass::net::lookup_host("server:80").await.unwrap();
///     assert_eq!(found.next(), Some((server.address(), 80).into()));
/// });
/// outcome.unwrap();
/// ```
///
/// # Errors
/// `InvalidInput` if the text is no host and port; an error as `getaddrinfo` gives it, if the name
/// is unknown or the lookup fails for now.
///
/// # Panics
/// If this thread runs no simulation.
pub async fn lookup_host<T>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>>
where
    T: ToSocketAddrs,
{
    let found = resolve(&host);
    Ok(found.await?.into_iter())
}

/// Finds the addresses of `host`. A name is asked for at once, before the first poll.
///
/// What is given back knows nothing of `host`, so that it can wait without it.
pub(super) fn resolve(host: &(impl ToSocketAddrs + ?Sized)) -> Resolving {
    host.resolve(sealed::Internal)
}

/// Tries the addresses of a host in order, until one succeeds.
///
/// # Errors
/// Those of resolving, or the error of the last address.
pub(super) async fn try_each<T>(
    host: Resolving,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut result = Err(nowhere());
    for address in host.await? {
        result = attempt(address);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// The error of a host without any address.
pub(super) fn nowhere() -> io::Error {
    let text = "could not resolve to any address";
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// The addresses of a host, at once or when the name server has answered.
#[derive(Debug)]
pub struct Resolving(State);

#[derive(Debug)]
enum State {
    Known(io::Result<Vec<SocketAddr>>),
    Asked { question: Question, port: u16 },
}

/// A lookup under way. Dropping it gives it up.
#[derive(Debug)]
struct Question {
    home: Home,
    id: SocketId,
}

impl Future for Resolving {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.0 {
            State::Known(found) => core::mem::replace(found, Ok(Vec::new())),
            State::Asked { question, port } => {
                let Question { home, id } = *question;
                let found = ready!(home.poll(cx, |net, base| net.lookup_answer(base, id)));
                found.map(|addresses| with_port(addresses, *port))
            }
        })
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.home
            .release(|net, base| net.give_up_lookup(base, self.id));
    }
}

fn known(addresses: Vec<SocketAddr>) -> Resolving {
    Resolving(State::Known(Ok(addresses)))
}

fn by_name(host: &str, port: u16) -> Resolving {
    let asked = Home::make(|net, base, node| net.look_up(base, node, host));
    Resolving(match asked {
        Ok((_, Lookup::Answered(addresses))) => State::Known(Ok(with_port(addresses, port))),
        Ok((home, Lookup::Asked(id))) => State::Asked {
            question: Question { home, id },
            port,
        },
        Err(error) => State::Known(Err(error)),
    })
}

fn by_text(text: &str) -> Resolving {
    if let Ok(address) = text.parse() {
        return known(vec![address]);
    }
    // The words of std, which programs may match.
    let invalid = |text| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, text);
        Resolving(State::Known(Err(error)))
    };
    let Some((host, port)) = text.rsplit_once(':') else {
        return invalid("invalid socket address");
    };
    match port.parse() {
        Ok(port) => by_name(host, port),
        Err(_) => invalid("invalid port value"),
    }
}

fn with_port(addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    let with_port = |address| SocketAddr::new(address, port);
    addresses.into_iter().map(with_port).collect()
}

mod sealed {
    //! The trait's method: not callable from outside, so that it can change.

    use super::Resolving;

    pub trait Resolve {
        #[doc(hidden)]
        fn resolve(&self, _: Internal) -> Resolving;
    }

    #[derive(Clone, Copy, Debug)]
    pub struct Internal;
}

macro_rules! resolve {
    ($($type:ty: |$host:ident| $resolve:expr;)*) => {
        $(
            impl ToSocketAddrs for $type {}

            impl sealed::Resolve for $type {
                fn resolve(&self, _: sealed::Internal) -> Resolving {
                    let $host = self;
                    $resolve
                }
            }
        )*
    };
}

resolve! {
    SocketAddr: |host| known(vec![*host]);
    SocketAddrV4: |host| known(vec![(*host).into()]);
    SocketAddrV6: |host| known(vec![(*host).into()]);
    (IpAddr, u16): |host| known(vec![(*host).into()]);
    (Ipv4Addr, u16): |host| known(vec![(*host).into()]);
    (Ipv6Addr, u16): |host| known(vec![(*host).into()]);
    [SocketAddr]: |host| known(host.to_vec());
    str: |host| by_text(host);
    String: |host| by_text(host);
    (&str, u16): |host| by_name(host.0, host.1);
    (String, u16): |host| by_name(&host.0, host.1);
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}

impl<T: ToSocketAddrs + ?Sized> sealed::Resolve for &T {
    fn resolve(&self, internal: sealed::Internal) -> Resolving {
        (**self).resolve(internal)
    }
}
