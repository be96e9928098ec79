//! Stock hyper, server and client, on simulated nodes.

mod service;

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, header};
use stormglass::hyper::Io;
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::kernel::{Distribution, Family, Probability};
use stormglass::net::{LinkConfig, TcpStream};
use stormglass::run::{doctor, run_seed};
use stormglass::sim::{Builder, Node, Outcome, Shift, Sim};
use stormglass::time::{Instant, sleep, timeout};
use stormglass::{Config, task};

use service::{BIG_BYTES, Client, Error, Version, pattern, serve};

const S: Duration = Duration::from_secs(1);

/// Runs a test over this version of HTTP, with some loss on all links.
fn run<Fut>(test: impl FnOnce(Sim) -> Fut + 'static)
where
    Fut: Future<Output = Result<(), Error>> + 'static,
{
    let mut config = Config::default();
    config.link.loss = Probability::percent(2);
    config.time_limit = 600 * S;
    Builder::new().config(config).run(test).unwrap().unwrap();
}

fn server(sim: &Sim, version: Version) -> Node {
    sim.node("server").run(move |_| serve(version))
}

#[test]
fn a_connection_serves_many_requests() {
    for version in Version::ALL {
        run(move |sim| async move {
            server(&sim, version);
            let mut client = Client::connect(version).await?;
            for n in 0..20 {
                let response = client.get(&format!("/greet/{n}")).await?;
                let greeting = response.into_body().collect().await?.to_bytes();
                assert_eq!(greeting, format!("greeting {n} of connection 1"));
            }
            let missing = client.get("/nowhere").await?;
            assert_eq!(missing.status(), StatusCode::NOT_FOUND);
            missing.into_body().collect().await?;
            // Another connection is another task of the server.
            let mut other = Client::connect(version).await?;
            let greeting = other.get("/greet/0").await?;
            let greeting = greeting.into_body().collect().await?.to_bytes();
            assert_eq!(greeting, "greeting 0 of connection 2");
            Ok(())
        });
    }
}

#[test]
fn the_date_of_an_answer_is_the_nodes_wall_clock() {
    run(|sim| async move {
        let node = server(&sim, Version::One);
        let date = async || -> Result<String, Error> {
            let response = Client::connect(Version::One).await?.get("/greet/0").await?;
            Ok(response.headers()[header::DATE].to_str()?.to_owned())
        };
        let first = date().await?;
        assert!(first.contains("2026"), "{first}");
        node.clock().step(Shift::Forward(365 * 86_400 * S));
        // hyper writes the date anew once a second.
        sleep(2 * S).await;
        let second = date().await?;
        assert!(second.contains("2027"), "{second}");
        Ok(())
    });
}

#[test]
fn a_large_body_streams_both_ways() {
    for version in Version::ALL {
        run(move |sim| async move {
            server(&sim, version);
            let mut client = Client::connect(version).await?;
            let big = client.get("/big").await?;
            let mut body = big.into_body();
            let (mut received, mut frames) = (Vec::new(), 0);
            while let Some(frame) = body.frame().await {
                received.extend_from_slice(&frame?.into_data().expect("no trailers are sent"));
                frames += 1;
            }
            assert_eq!(received, pattern(BIG_BYTES));
            assert!(frames > 8, "{frames} frames are no stream");
            let echo = client.post("/echo", received.into()).await?;
            assert_eq!(
                echo.into_body().collect().await?.to_bytes(),
                pattern(BIG_BYTES)
            );
            Ok(())
        });
    }
}

#[test]
fn requests_of_http_2_share_a_connection_and_their_time() {
    run(|sim| async move {
        server(&sim, Version::Two);
        let client = Client::connect(Version::Two).await?;
        let begin = Instant::now();
        let answers = join_all((0..50).rev().map(|tenths| {
            let mut client = client.another();
            async move {
                let response = client.get(&format!("/wait/{tenths}")).await?;
                let body = response.into_body().collect().await?.to_bytes();
                Ok::<_, Error>((tenths, String::from_utf8(body.to_vec())?))
            }
        }));
        for answer in answers.await {
            let (tenths, text) = answer?;
            assert_eq!(text, format!("waited {tenths} tenths on connection 1"));
        }
        // The longest waits for 4.9 s; one after the other they would need 122 s.
        let elapsed = begin.elapsed();
        assert!((5 * S - S / 10..8 * S).contains(&elapsed), "{elapsed:?}");
        Ok(())
    });
}

#[test]
fn an_upgraded_connection_belongs_to_the_program() {
    run(|sim| async move {
        server(&sim, Version::One);
        let mut client = Client::connect(Version::One).await?;
        let request = Request::builder()
            .method(Method::GET)
            .uri("/upgrade")
            .header(header::HOST, "server")
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "echo")
            .body(Full::new(Bytes::new()))?;
        let response = client.send(request).await?;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut stream = Io::new(hyper::upgrade::on(response).await?);
        stream.write_all(b"no HTTP").await?;
        stream.shutdown().await?;
        let mut echo = String::new();
        stream.read_to_string(&mut echo).await?;
        assert_eq!(echo, "no HTTP");
        Ok(())
    });
}

#[test]
fn time_outs_of_hyper_run_in_virtual_time() {
    run(|sim| async move {
        server(&sim, Version::One);
        let begin = Instant::now();
        // A client that says nothing: the server hangs up after the 30 s that are hyper's default.
        let mut stream = TcpStream::connect("server:80").await?;
        assert_eq!(stream.read(&mut [0; 100]).await?, 0);
        let elapsed = begin.elapsed();
        assert!((30 * S..31 * S).contains(&elapsed), "{elapsed:?}");
        Ok(())
    });
}

/// How the server ends in the middle of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Power loss: silence.
    Crash,
    /// Power loss, and power again before the client has lost its patience.
    CrashAndRestart,
    /// The process dies, and its kernel says so.
    Kill,
}

/// The server ends in the middle of a large answer; then it comes back.
async fn broken_answer(sim: Sim, version: Version, end: End) -> Result<String, Error> {
    let node = server(&sim, version);
    let client_node = sim.node("client").idle();
    let got = client_node.spawn(async move {
        let mut client = Client::connect(version).await?;
        let mut body = client.get("/big").await?.into_body();
        let mut length = 0;
        let broken = timeout(20 * S, async {
            while let Some(frame) = body.frame().await {
                length += frame?.data_ref().map_or(0, Bytes::len);
            }
            Ok::<_, Error>(())
        });
        let what = match broken.await {
            Ok(Ok(())) => "complete".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "silence".to_owned(),
        };
        assert!((1..BIG_BYTES).contains(&length), "{length} bytes");
        Ok::<_, Error>(what)
    });
    // The answer takes about a second.
    sleep(S / 2).await;
    match end {
        End::Kill => assert!(node.kill()),
        End::Crash | End::CrashAndRestart => assert!(node.crash()),
    }
    if end == End::CrashAndRestart {
        sleep(S).await;
        node.restart();
    }
    let what = got.await??;
    if end != End::CrashAndRestart {
        node.restart();
    }
    let again = client_node.spawn(async move {
        let mut client = Client::connect(version).await?;
        let big = client.get("/big").await?.into_body();
        Ok::<_, Error>(big.collect().await?.to_bytes())
    });
    assert_eq!(again.await??, pattern(BIG_BYTES));
    Ok(what)
}

fn run_broken(seed: u64, version: Version, end: End) -> Outcome<String> {
    run_seed(&Config::default(), seed, move |sim| async move {
        let what = broken_answer(sim, version, end).await;
        what.unwrap_or_else(|error| panic!("{version:?} {end:?}: {error}"))
    })
}

#[test]
fn a_server_that_ends_in_mid_response_is_an_error_and_comes_back() {
    for version in Version::ALL {
        for (end, expected) in [
            (End::Crash, "silence"),
            // The client only reads, so nothing tells it that the server forgot the connection.
            (End::CrashAndRestart, "silence"),
            (End::Kill, "error reading a body from connection"),
        ] {
            for seed in 0..4 {
                let (first, second) = (
                    run_broken(seed, version, end),
                    run_broken(seed, version, end),
                );
                assert_eq!(
                    first.digest, second.digest,
                    "{version:?} {end:?}, seed {seed}"
                );
                let family = if end == End::Kill {
                    Family::Kill
                } else {
                    Family::Crash
                };
                assert_eq!(first.counters.get(family).effective, 1);
                let what = first.unwrap();
                assert_eq!(what, expected, "{version:?} {end:?}");
            }
        }
    }
}

#[test]
fn pings_of_http_2_find_a_dead_server() {
    let link = LinkConfig {
        latency: Distribution::Constant(S / 1_000),
        ..LinkConfig::default()
    };
    let config = Config {
        link,
        ..Config::default()
    };
    let outcome = Builder::new().config(config).run(|sim| async move {
        let node = server(&sim, Version::Two);
        let mut client = Client::connect_pinging(S, 3 * S).await?;
        let waiting = task::spawn(async move { client.get("/wait/600").await });
        sleep(5 * S).await;
        assert!(
            !waiting.is_finished(),
            "a server that answers pings is alive"
        );
        let begin = Instant::now();
        node.crash();
        let error = waiting.await?.expect_err("nobody answers");
        let elapsed = begin.elapsed();
        assert!((3 * S..=4 * S + S / 10).contains(&elapsed), "{elapsed:?}");
        Ok::<_, Error>(error.to_string())
    });
    let error = outcome.unwrap().unwrap();
    assert!(error.contains("http2"), "{error}");
}

/// hyper and h2 keep hash maps and caches of their own; none of it may reach a run.
#[test]
fn another_process_has_the_same_run() {
    for version in Version::ALL {
        let diagnosis = doctor(Config::default(), 5, move |sim| async move {
            broken_answer(sim, version, End::Kill).await.map(drop)
        });
        assert_eq!(diagnosis.failed, None, "{version:?}");
    }
}
