//! What a test's program says of itself in its own bytes: its simulation tests and its properties.
//!
//! The macros of the library leave a text for each, between control characters that no other text
//! has, so that a program can be known without running it.

use stormglass::property::Claim;
use stormglass::run::DECLARED;

/// What was found in a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub tests: Vec<TestMark>,
    pub properties: Vec<PropertyMark>,
}

/// A function with `#[stormglass::test]`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestMark {
    /// With the crate.
    pub path: String,
    /// `file:line`.
    pub place: String,
}

/// A place that claims a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyMark {
    pub name: String,
    pub claim: Claim,
    /// `file:line`.
    pub place: String,
}

const PROPERTY: &str = "\u{1}stormglass property\u{2}";
/// Longer texts are something else.
const LENGTH_MAX: usize = 4096;

/// Reads a program's bytes.
pub fn scan(bytes: &[u8]) -> Marks {
    let mut marks = Marks::default();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == 1) {
        rest = &rest[at..];
        if let Some(fields) = fields(rest, DECLARED) {
            if let [path, place] = fields[..] {
                let (path, place) = (path.to_owned(), place.to_owned());
                marks.tests.push(TestMark { path, place });
            }
        } else if let Some(fields) = fields(rest, PROPERTY)
            && let [claim, name, place] = fields[..]
            && let Some(claim) = claim_of(claim)
        {
            let (name, place) = (name.to_owned(), place.to_owned());
            marks.properties.push(PropertyMark { name, claim, place });
        }
        rest = &rest[1..];
    }
    // The compiler may have put one text in several places.
    marks.tests.sort();
    marks.tests.dedup();
    marks.properties.sort();
    marks.properties.dedup();
    marks
}

/// The fields of a text that begins so, if it is whole.
fn fields<'a>(bytes: &'a [u8], beginning: &str) -> Option<Vec<&'a str>> {
    let rest = bytes.strip_prefix(beginning.as_bytes())?;
    let end = rest.iter().take(LENGTH_MAX).position(|byte| *byte == 1)?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    let fields: Vec<&str> = text.split('\u{2}').collect();
    let is_clean = |field: &&str| !field.is_empty() && !field.contains(char::is_control);
    fields.iter().all(is_clean).then_some(fields)
}

fn claim_of(name: &str) -> Option<Claim> {
    Some(match name {
        "Always" => Claim::Always,
        "AlwaysOrUnreachable" => Claim::AlwaysOrUnreachable,
        "Sometimes" => Claim::Sometimes,
        "Reachable" => Claim::Reachable,
        "Unreachable" => Claim::Unreachable,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_among_other_bytes() {
        let mut bytes = b"\x01\x01stormglass test\x02\xff\xfe\x01".to_vec();
        let text = "\u{1}stormglass test\u{2}a::b::c\u{2}src/b.rs:7\u{1}";
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(
            "\u{1}stormglass property\u{2}Sometimes\u{2}it \u{e9}nds\u{2}src/d.rs:1\u{1}"
                .as_bytes(),
        );
        // The beginning alone, as the library itself has it.
        bytes.extend_from_slice(b"\x01stormglass property\x02Sometimes\x00\x01");
        let marks = scan(&bytes);
        assert_eq!(marks.tests.len(), 1);
        assert_eq!(marks.tests[0].path, "a::b::c");
        assert_eq!(marks.tests[0].place, "src/b.rs:7");
        assert_eq!(marks.properties.len(), 1);
        assert_eq!(marks.properties[0].name, "it \u{e9}nds");
        assert_eq!(marks.properties[0].claim, Claim::Sometimes);
    }

    #[test]
    fn other_bytes_are_no_marks() {
        assert_eq!(scan(b""), Marks::default());
        assert_eq!(scan(b"\x01stormglass test\x02a\x01"), Marks::default());
        assert_eq!(scan(b"\x01stormglass test\x02a\x02b"), Marks::default());
        assert_eq!(
            scan(b"\x01stormglass property\x02Never\x02a\x02b\x01"),
            Marks::default()
        );
    }
}
