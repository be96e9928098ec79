//! The feature pair: the echo service as production has it, on real sockets.
//!
//! Its tests in the simulation are its own, in `examples/echo/tests`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::nested;

/// Builds the service as production does: alone, so that no other crate switches `sim` on.
fn build() -> PathBuf {
    let arguments = ["build", "--package", "echo-service", "--bin", "echo"];
    let (built, text) = nested::cargo(&nested::workspace(), &arguments);
    assert!(built, "{text}");
    nested::target().join("debug/echo")
}

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to be done about that here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn in_production_it_runs_on_real_sockets() {
    let program = build();
    let child = Command::new(&program)
        .arg("serve")
        .stdout(Stdio::piped())
        .spawn();
    let mut server = Server(child.expect("a program that was just built starts"));
    let mut address = String::new();
    let output = server.0.stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut address).unwrap();
    let address = address.trim();

    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"hello").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut echo = String::new();
    stream.read_to_string(&mut echo).unwrap();
    assert_eq!(echo, "hello");

    let call = Command::new(&program)
        .args(["call", address, "hello again"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&call.stdout), "hello again\n");
    assert!(call.status.success());
    let wrong = Command::new(&program).output().unwrap();
    assert_eq!(wrong.status.code(), Some(96));
}

#[test]
fn in_production_there_is_nothing_of_the_simulation() {
    let program = fs::read(build()).unwrap();
    let has = |name: &str| {
        program
            .windows(name.len())
            .any(|window| window == name.as_bytes())
    };
    // Names of modules, as symbols and debug information spell them.
    assert!(has("12echo_service"), "the names cannot be read at all");
    assert!(
        has("10stormglass4rand7machine"),
        "the names of stormglass cannot be read"
    );
    for module in ["4exec", "6kernel", "5model", "3sys", "3sim"] {
        assert!(
            !has(&format!("10stormglass{module}")),
            "`{module}` is in the program"
        );
    }
}
