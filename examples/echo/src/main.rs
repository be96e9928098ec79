//! The echo service on real sockets: `echo serve [ADDRESS]`, `echo call ADDRESS TEXT`.

#![expect(clippy::print_stdout, reason = "a program that talks to a person")]

use std::io;
use std::process::ExitCode;

use stormglass::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["serve"] => serve("127.0.0.1:0").await,
        ["serve", address] => serve(address).await,
        ["call", address, text] => call(address, text).await,
        _ => {
            eprintln!("usage: echo serve [ADDRESS] | echo call ADDRESS TEXT");
            return ExitCode::from(96);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    echo_service::serve(listener).await
}

async fn call(address: &str, text: &str) -> io::Result<()> {
    let echo = echo_service::call(address, text.as_bytes()).await?;
    println!("{}", String::from_utf8_lossy(&echo));
    Ok(())
}
