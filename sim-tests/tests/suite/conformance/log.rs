//! What the calls of a case gave, as lines that can be compared.
//!
//! Ports of the system's choosing differ between runs, and addresses between the places where a
//! case is played: both are shown by names, in the order in which they appear.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;

/// The lines of one run of a case.
#[derive(Clone, Default)]
pub(super) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(super) fn line(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    /// The lines, with `server`, `client` and `directory` in place of what they are.
    pub(super) fn take(
        &self,
        server: [IpAddr; 2],
        client: [IpAddr; 2],
        directory: &Path,
    ) -> Vec<String> {
        let mut names = vec![(directory.display().to_string(), "directory")];
        for (addresses, name) in [(server, "server"), (client, "client")] {
            names.extend(addresses.map(|address| (address.to_string(), name)));
        }
        // On one host they are the same, and so they must be on two.
        for (address, name) in &mut names {
            if address.contains("::") {
                *name = "v6";
            }
        }
        names.push(("127.0.0.1".to_owned(), "client"));
        let mut ports = Vec::new();
        let lines = self.0.take();
        let plain = |line: String| {
            names
                .iter()
                .fold(line, |line, (address, name)| line.replace(address, name))
        };
        lines
            .into_iter()
            .map(|line| with_named_ports(&plain(line), &mut ports))
            .collect()
    }
}

/// What came of a call, as text: errors by their kind and the system's number.
pub(super) fn shown<T: Debug>(result: &io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => match error.raw_os_error() {
            Some(code) => format!("{:?} ({code})", error.kind()),
            None => format!("{:?}", error.kind()),
        },
    }
}

/// Bytes as text, or their number and a sum if they are many.
pub(super) fn bytes(data: &[u8]) -> String {
    if data.len() <= 64 {
        return String::from_utf8_lossy(data).into_owned();
    }
    let sum = data
        .iter()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(*byte));
    format!("{} bytes, {sum:08x}", data.len())
}

/// Shows the numbers of at least four digits behind a colon as `p1`, `p2` and so on.
fn with_named_ports(line: &str, ports: &mut Vec<String>) -> String {
    let mut named = String::new();
    let mut parts = line.split(':');
    named.push_str(parts.next().unwrap_or_default());
    for part in parts {
        named.push(':');
        let end = part
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(part.len());
        let (digits, rest) = part.split_at(end);
        if digits.len() < 4 {
            named.push_str(part);
            continue;
        }
        let known = ports.iter().position(|port| port == digits);
        let number = known.unwrap_or_else(|| {
            ports.push(digits.to_owned());
            ports.len() - 1
        });
        write!(named, "p{}{rest}", number + 1).unwrap();
    }
    named
}

/// Two logs side by side, with a mark at the first lines that differ.
pub(super) fn side_by_side(left: (&str, &[String]), right: (&str, &[String])) -> String {
    let width = left.1.iter().map(String::len).max().unwrap_or(0).max(40);
    let mut text = format!("\n     {:width$} | {}\n", left.0, right.0);
    let mut marked = false;
    for n in 0..left.1.len().max(right.1.len()) {
        let line = |lines: &[String]| lines.get(n).cloned().unwrap_or_else(|| "-".to_owned());
        let (a, b) = (line(left.1), line(right.1));
        let mark = if a != b && !marked { "->" } else { "  " };
        marked |= a != b;
        writeln!(text, "{mark} {:2} {a:width$} | {b}", n + 1).unwrap();
    }
    text
}

#[test]
fn conformance_logs_show_ports_by_name() {
    let mut ports = Vec::new();
    let line = with_named_ports("a 10.0.0.1:4001 b [::1]:50000 c x:4001 d:80", &mut ports);
    assert_eq!(line, "a 10.0.0.1:p1 b [::1]:p2 c x:p1 d:80");
    assert_eq!(with_named_ports(":50000", &mut ports), ":p2");
}

#[test]
fn conformance_logs_mark_the_first_difference() {
    let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (lines("x y z"), lines("x w v u"));
    let text = side_by_side(("left", &a), ("right", &b));
    let marked: Vec<_> = text.lines().filter(|line| line.starts_with("->")).collect();
    assert_eq!(marked.len(), 1, "{text}");
    assert!(
        marked[0].contains("2 y") && marked[0].ends_with("| w"),
        "{text}"
    );
}
