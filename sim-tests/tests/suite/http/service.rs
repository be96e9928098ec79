//! The service, as it would be written for tokio, and its client.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, header, server};
use stormglass::hyper::{Executor, Io, Timer};
use stormglass::io::copy;
use stormglass::net::{TcpListener, TcpStream};
use stormglass::task;
use stormglass::time::sleep;

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;
type Body = BoxBody<Bytes, Error>;

/// The length of the large body.
pub(super) const BIG_BYTES: usize = 1024 * 1024;
const BIG_CHUNK_BYTES: usize = 16 * 1024;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    pub(super) const ALL: [Self; 2] = [Self::One, Self::Two];
}

/// Bytes that show it if some are lost or out of place.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    let mut x = 1_u32;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        x.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// Serves connections on port 80, for ever.
pub(super) async fn serve(version: Version) -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    for number in 1.. {
        let (stream, _) = listener.accept().await?;
        let (stream, service) = (
            Io::new(stream),
            service_fn(move |request| answer(number, request)),
        );
        task::spawn(async move {
            // What goes wrong on one connection is its client's to see.
            let _ended = match version {
                Version::One => {
                    let mut server = server::conn::http1::Builder::new();
                    server.timer(Timer);
                    server
                        .serve_connection(stream, service)
                        .with_upgrades()
                        .await
                }
                Version::Two => {
                    let mut server = server::conn::http2::Builder::new(Executor);
                    server.timer(Timer);
                    server.serve_connection(stream, service).await
                }
            };
        });
    }
    Ok(())
}

async fn answer(connection: u32, request: Request<Incoming>) -> Result<Response<Body>, Error> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body = match (request.method(), &parts[..]) {
        (&Method::GET, ["greet", number]) => {
            whole(format!("greeting {number} of connection {connection}"))
        }
        (&Method::GET, ["wait", tenths]) => {
            sleep(tenths.parse::<u32>()? * Duration::from_millis(100)).await;
            whole(format!("waited {tenths} tenths on connection {connection}"))
        }
        (&Method::GET, ["big"]) => big(),
        (&Method::POST, ["echo"]) => request.into_body().map_err(Into::into).boxed(),
        (&Method::GET, ["upgrade"]) => {
            task::spawn(async move {
                let mut stream = Io::new(hyper::upgrade::on(request).await?);
                let (mut read, mut write) = stormglass::io::split(&mut stream);
                copy(&mut read, &mut write).await?;
                stormglass::io::AsyncWriteExt::shutdown(&mut write).await?;
                Ok::<_, Error>(())
            });
            let response = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(header::CONNECTION, "upgrade")
                .header(header::UPGRADE, "echo");
            return Ok(response.body(whole(String::new()))?);
        }
        _ => {
            let response = Response::builder().status(StatusCode::NOT_FOUND);
            return Ok(response.body(whole(String::new()))?);
        }
    };
    Ok(Response::new(body))
}

fn whole(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(into_error).boxed()
}

fn into_error(never: Infallible) -> Error {
    match never {}
}

/// The large body, in chunks that take a second together.
fn big() -> Body {
    let whole = Bytes::from(pattern(BIG_BYTES));
    let chunks = stream::try_unfold(whole, async |mut rest| {
        if rest.is_empty() {
            return Ok::<_, Error>(None);
        }
        sleep(Duration::from_millis(15)).await;
        let chunk = rest.split_to(BIG_CHUNK_BYTES);
        Ok(Some((chunk, rest)))
    });
    BodyExt::boxed(StreamBody::new(chunks.map_ok(Frame::data)))
}

/// A client with one connection.
pub(super) enum Client {
    One(client::conn::http1::SendRequest<Full<Bytes>>),
    Two(client::conn::http2::SendRequest<Full<Bytes>>),
}

impl Client {
    pub(super) async fn connect(version: Version) -> Result<Self, Error> {
        let stream = Io::new(TcpStream::connect("server:80").await?);
        Ok(match version {
            Version::One => {
                let (sender, connection) = client::conn::http1::handshake(stream).await?;
                task::spawn(connection.with_upgrades());
                Self::One(sender)
            }
            Version::Two => {
                let (sender, connection) = client::conn::http2::handshake(Executor, stream).await?;
                task::spawn(connection);
                Self::Two(sender)
            }
        })
    }

    /// A client of HTTP/2 that asks whether the server is still there.
    pub(super) async fn connect_pinging(
        every: Duration,
        patience: Duration,
    ) -> Result<Self, Error> {
        let stream = Io::new(TcpStream::connect("server:80").await?);
        let (sender, connection) = client::conn::http2::Builder::new(Executor)
            .timer(Timer)
            .keep_alive_interval(every)
            .keep_alive_timeout(patience)
            .handshake(stream)
            .await?;
        task::spawn(connection);
        Ok(Self::Two(sender))
    }

    /// Another handle of the same connection, which only HTTP/2 shares.
    pub(super) fn another(&self) -> Self {
        match self {
            Self::One(_) => panic!("a connection of HTTP/1 carries one request at a time"),
            Self::Two(sender) => Self::Two(sender.clone()),
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Response<Incoming>, Error> {
        let request = Request::get(format!("http://server{path}"))
            .header(header::HOST, "server")
            .body(Full::default())?;
        self.send(request).await
    }

    pub(super) async fn post(
        &mut self,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Error> {
        let request = Request::post(format!("http://server{path}"))
            .header(header::HOST, "server")
            .body(Full::new(body))?;
        self.send(request).await
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Error> {
        Ok(match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }
}
