//! Unix sockets of a node whose program dies and starts again.

use std::cell::RefCell;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use stormglass::fs::remove_file;
use stormglass::io::{AsyncReadExt, AsyncWriteExt};
use stormglass::net::{UnixDatagram, UnixListener, UnixStream};
use stormglass::sim::Builder;
use stormglass::task;
use stormglass::time::sleep;

const MS: Duration = Duration::from_millis(1);
const PATH: &str = "/run/service.sock";

/// Answers with what it reads, until its node dies.
async fn serve(listener: UnixListener) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        task::spawn(async move {
            let mut buffer = [0; 100];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn ask(stream: &mut UnixStream) -> io::Result<[u8; 5]> {
    stream.write_all(b"hello").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// What a program does that finds the path of the one before it, and what that gave.
async fn start_after_a_death() -> io::Result<Vec<ErrorKind>> {
    let mut errors = Vec::new();
    errors.extend(UnixStream::connect(PATH).await.map_err(|e| e.kind()).err());
    errors.extend(UnixListener::bind(PATH).map_err(|e| e.kind()).err());
    remove_file(PATH).await?;
    errors.extend(UnixStream::connect(PATH).await.map_err(|e| e.kind()).err());
    task::spawn(serve(UnixListener::bind(PATH)?));
    let mut client = UnixStream::connect(PATH).await?;
    assert_eq!(ask(&mut client).await?, *b"hello");
    Ok(errors)
}

#[test]
fn a_path_is_stale_after_its_program_died() {
    for power_is_lost in [false, true] {
        let outcome = Builder::new().run(move |sim| async move {
            let found = Rc::new(RefCell::new(Vec::new()));
            let node = sim.node("server").run({
                let found = found.clone();
                move |context| {
                    let found = found.clone();
                    async move {
                        if context.incarnation() == 1 {
                            task::spawn(serve(UnixListener::bind(PATH).unwrap()));
                            let mut client = UnixStream::connect(PATH).await.unwrap();
                            ask(&mut client).await.unwrap();
                        } else {
                            let errors = start_after_a_death().await.unwrap();
                            found.borrow_mut().extend(errors);
                        }
                        pending::<()>().await;
                    }
                }
            });
            sleep(MS).await;
            assert!(if power_is_lost {
                node.crash()
            } else {
                node.kill()
            });
            node.restart();
            sleep(MS).await;
            found.take()
        });
        assert_eq!(
            outcome.unwrap(),
            [
                ErrorKind::ConnectionRefused,
                ErrorKind::AddrInUse,
                ErrorKind::NotFound
            ]
        );
    }
}

#[test]
fn a_client_hears_of_the_end_of_its_server() {
    let outcome = Builder::new().run(|_sim| async {
        let listener = UnixListener::bind(PATH)?;
        let server = task::spawn(async move {
            let mut streams = Vec::new();
            loop {
                streams.push(listener.accept().await.unwrap());
            }
        });
        let mut idle = UnixStream::connect(PATH).await?;
        let mut unheard = UnixStream::connect(PATH).await?;
        unheard.write_all(b"never read").await?;
        sleep(MS).await;
        server.abort();
        let end = idle.read(&mut [0; 10]).await?;
        let reset = unheard.read(&mut [0; 10]).await.map_err(|e| e.kind());
        let stale = UnixStream::connect(PATH).await.map_err(|e| e.kind());
        io::Result::Ok((end, reset.err(), stale.err()))
    });
    let expected = (
        0,
        Some(ErrorKind::ConnectionReset),
        Some(ErrorKind::ConnectionRefused),
    );
    assert_eq!(outcome.unwrap().unwrap(), expected);
}

#[test]
fn nodes_do_not_see_each_other_s_paths() {
    let outcome = Builder::new().run(|sim| async move {
        let listener = UnixListener::bind(PATH)?;
        let connect = sim.node("other").idle().spawn(UnixStream::connect(PATH));
        let elsewhere = connect.await.unwrap().map_err(|e| e.kind());
        let _here = UnixStream::connect(PATH).await?;
        listener.accept().await?;
        io::Result::Ok(elsewhere.err())
    });
    assert_eq!(outcome.unwrap().unwrap(), Some(ErrorKind::NotFound));
}

#[test]
fn a_sender_waits_for_a_slow_receiver() {
    let outcome = Builder::new().run(|_sim| async {
        let receiver = UnixDatagram::bind(PATH)?;
        let sender = task::spawn(async {
            let socket = UnixDatagram::unbound()?;
            for n in 0..50_u8 {
                socket.send_to(&[n], PATH).await?;
            }
            io::Result::Ok(())
        });
        let mut received = Vec::new();
        while received.len() < 50 {
            sleep(MS).await;
            let mut buffer = [0; 10];
            received.push((receiver.recv(&mut buffer).await?, buffer[0]));
        }
        sender.await.unwrap()?;
        io::Result::Ok(received)
    });
    let expected: Vec<_> = (0..50).map(|n| (1, n)).collect();
    assert_eq!(outcome.unwrap().unwrap(), expected);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = || {
        Builder::new().run(|_sim| async {
            task::spawn(serve(UnixListener::bind(PATH)?));
            let clients = (0..3).map(|_| async {
                let mut stream = UnixStream::connect(PATH).await?;
                ask(&mut stream).await
            });
            futures::future::try_join_all(clients).await
        })
    };
    let (one, other) = (run(), run());
    assert_eq!(one.digest, other.digest);
    assert_eq!(one.unwrap().unwrap(), [*b"hello"; 3]);
}
