//! From what a program calls a peer to its addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::handle::Home;

/// What can be turned into socket addresses: the types of tokio's trait of this name.
///
/// A host is the name of a node, `localhost`, or an address as text.
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
/// is unknown.
///
/// # Panics
/// If this thread runs no simulation.
pub async fn lookup_host<T>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>>
where
    T: ToSocketAddrs,
{
    Ok(resolve(&host)?.into_iter())
}

/// The addresses of `host`, at least one.
pub(super) fn resolve(host: &(impl ToSocketAddrs + ?Sized)) -> io::Result<Vec<SocketAddr>> {
    let addresses = host.resolve(sealed::Internal)?;
    if addresses.is_empty() {
        let text = "could not resolve to any address";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(addresses)
}

/// Tries the addresses of `host` in order, until one succeeds.
///
/// # Errors
/// Those of resolving, or the error of the last address.
pub(super) fn try_each<T>(
    host: &(impl ToSocketAddrs + ?Sized),
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let addresses = resolve(host)?;
    let mut result = Err(io::ErrorKind::InvalidInput.into());
    for address in addresses {
        result = attempt(address);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn by_name(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (_, addresses) = Home::make(|net, _, _| net.resolve(host))?;
    Ok(addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

fn by_text(text: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    // The words of std, which programs may match.
    let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| invalid("invalid socket address"))?;
    let port = port.parse().map_err(|_| invalid("invalid port value"))?;
    by_name(host, port)
}

mod sealed {
    //! The trait's method: not callable from outside, so that it can change.

    use std::io;
    use std::net::SocketAddr;

    pub trait Resolve {
        #[doc(hidden)]
        fn resolve(&self, _: Internal) -> io::Result<Vec<SocketAddr>>;
    }

    #[derive(Clone, Copy, Debug)]
    pub struct Internal;
}

macro_rules! resolve {
    ($($type:ty: |$host:ident| $resolve:expr;)*) => {
        $(
            impl ToSocketAddrs for $type {}

            impl sealed::Resolve for $type {
                fn resolve(&self, _: sealed::Internal) -> io::Result<Vec<SocketAddr>> {
                    let $host = self;
                    $resolve
                }
            }
        )*
    };
}

resolve! {
    SocketAddr: |host| Ok(vec![*host]);
    SocketAddrV4: |host| Ok(vec![(*host).into()]);
    SocketAddrV6: |host| Ok(vec![(*host).into()]);
    (IpAddr, u16): |host| Ok(vec![(*host).into()]);
    (Ipv4Addr, u16): |host| Ok(vec![(*host).into()]);
    (Ipv6Addr, u16): |host| Ok(vec![(*host).into()]);
    [SocketAddr]: |host| Ok(host.to_vec());
    str: |host| by_text(host);
    String: |host| by_text(host);
    (&str, u16): |host| by_name(host.0, host.1);
    (String, u16): |host| by_name(&host.0, host.1);
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}

impl<T: ToSocketAddrs + ?Sized> sealed::Resolve for &T {
    fn resolve(&self, internal: sealed::Internal) -> io::Result<Vec<SocketAddr>> {
        (**self).resolve(internal)
    }
}
