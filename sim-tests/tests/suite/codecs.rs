//! What is written for the I/O traits of tokio or of futures runs on simulated streams.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use futures::{SinkExt, StreamExt, TryStreamExt};
use stormglass::kernel::Probability;
use stormglass::net::{TcpListener, TcpStream};
use stormglass::sim::Builder;
use stormglass::{Config, rand, task, time};
use tokio_util::codec::{Decoder, FramedRead, LengthDelimitedCodec, LinesCodec};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Runs a test of the two ends of a connection between two nodes, on lossy links.
fn run<Fut>(seed: u64, test: impl FnOnce(TcpStream, TcpStream) -> Fut + 'static)
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    let mut config = Config::default();
    config.link.loss = Probability::percent(5);
    let builder = Builder::new().seed(seed).config(config);
    let outcome = builder.run(|sim| async move {
        let server = sim.node("server").idle();
        let listener = server
            .spawn(TcpListener::bind("0.0.0.0:7"))
            .await
            .unwrap()?;
        let client = TcpStream::connect("server:7").await?;
        let (server, _) = listener.accept().await?;
        test(client, server).await
    });
    outcome.unwrap().unwrap();
}

/// Writes bytes in chunks of a random length, with pauses, and ends.
async fn write_in_chunks(mut stream: TcpStream, mut bytes: Bytes) -> io::Result<()> {
    while !bytes.is_empty() {
        let length = usize::try_from(rand::below(100)).unwrap() + 1;
        let chunk = bytes.split_to(length.min(bytes.len()));
        stormglass::io::AsyncWriteExt::write_all(&mut stream, &chunk).await?;
        if rand::chance(1, 3) {
            time::sleep(Duration::from_millis(rand::below(5))).await;
        }
    }
    stormglass::io::AsyncWriteExt::shutdown(&mut stream).await
}

#[test]
fn frames_are_whole_however_they_are_cut() {
    for seed in 0..10 {
        run(seed, |client, server| async {
            let frames: Vec<Bytes> = (0..50_usize)
                .map(|n| Bytes::from(vec![n.to_le_bytes()[0]; n * n]))
                .collect();
            let mut wire = BytesMut::new();
            for frame in &frames {
                use tokio_util::codec::Encoder;
                LengthDelimitedCodec::new().encode(frame.clone(), &mut wire)?;
            }
            task::spawn(write_in_chunks(client, wire.freeze()));
            let framed = LengthDelimitedCodec::new().framed(server);
            let read: Vec<_> = framed.try_collect().await?;
            assert_eq!(read, frames);
            Ok(())
        });
    }
}

#[test]
fn lines_are_answered_through_one_framed_stream() {
    run(1, |client, server| async {
        task::spawn(async {
            let (sink, lines) = LinesCodec::new().framed(server).split();
            lines.map_ok(|line| line.to_uppercase()).forward(sink).await
        });
        let mut framed = LinesCodec::new().framed(client);
        for line in ["one", "", "three and a half"] {
            framed.send(line).await.map_err(io::Error::other)?;
            let answer = framed.next().await.unwrap();
            assert_eq!(answer.map_err(io::Error::other)?, line.to_uppercase());
        }
        Ok(())
    });
}

#[test]
fn streams_have_the_traits_of_futures() {
    run(2, |mut client, server| async move {
        // Owned halves, copied by futures' own helper.
        task::spawn(async {
            let (read, mut write) = server.into_split();
            futures::io::copy(read, &mut write).await?;
            futures::io::AsyncWriteExt::close(&mut write).await
        });
        // `split` would be that of futures, which takes the stream itself.
        let (mut read, mut write) = TcpStream::split(&mut client);
        let text = "futures ".repeat(10_000);
        let send = async {
            futures::io::AsyncWriteExt::write_all(&mut write, text.as_bytes()).await?;
            write.close().await
        };
        let mut echo = String::new();
        let receive = futures::io::AsyncReadExt::read_to_string(&mut read, &mut echo);
        futures::try_join!(send, receive)?;
        assert_eq!(echo, text);
        // After the end there is only the end.
        assert_eq!(
            futures::io::AsyncReadExt::read(&mut client, &mut [0]).await?,
            0
        );
        Ok(())
    });
}

#[test]
fn compat_is_the_way_for_both_worlds() {
    run(3, |client, server| async {
        task::spawn(async {
            let (read, mut write) = server.compat().split();
            futures::io::copy(read, &mut write).await?;
            write.close().await
        });
        let mut client = client.compat();
        client.write_all(b"hello\nworld\n").await?;
        client.close().await?;
        let lines = FramedRead::new(client.into_inner(), LinesCodec::new());
        let lines: Vec<_> = lines.try_collect().await.map_err(io::Error::other)?;
        assert_eq!(lines, ["hello", "world"]);
        Ok(())
    });
}
