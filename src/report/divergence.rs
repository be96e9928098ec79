//! In what two records differ, in one line.

use crate::explore::{Difference, Divergence};
use crate::kernel::Record;

/// In what the two records differ in which two traces part.
pub(crate) fn difference(divergence: &Divergence) -> String {
    let (first, second) = match (divergence.first.last(), divergence.second.last()) {
        _ if divergence.difference == Difference::Payload => {
            return "in the payload, after its first 16 bytes".to_owned();
        }
        // What the other fields mean depends on the kind.
        (Some(first), Some(second)) if first.kind != second.kind => {
            let (first, second) = (first.kind.name(), second.kind.name());
            return format!("in what happened: {first} against {second}");
        }
        (Some(first), Some(second)) => (first, second),
        (None, _) => return "the first run has ended before".to_owned(),
        (_, None) => return "the run in the fresh process has ended before".to_owned(),
    };
    let fields = |record: &Record| {
        let Record {
            step: _,
            at,
            cause,
            node,
            kind: _,
            subject,
            value,
            head,
        } = record;
        [
            ("place", node.to_string()),
            ("time", at.to_string()),
            ("cause", cause.to_string()),
            ("subject", subject.to_string()),
            ("value", value.to_string()),
            ("payload", payload(*head)),
        ]
    };
    let different: Vec<_> = fields(first)
        .into_iter()
        .zip(fields(second))
        .filter(|(one, other)| one != other)
        .map(|((name, one), (_, other))| format!("in {name}: {one} against {other}"))
        .collect();
    different.join("; ")
}

/// The first bytes of a payload, in hexadecimal digits.
fn payload(head: [u64; 2]) -> String {
    head.iter()
        .flat_map(|word| word.to_le_bytes())
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Kind, NodeId, SimTime, Step};

    const RECORD: Record = Record {
        step: Step::new(7),
        at: SimTime::ZERO,
        cause: Step::new(3),
        node: NodeId::TEST,
        kind: Kind::Mark,
        subject: 1,
        value: 2,
        head: [0; 2],
    };

    fn check(difference: Difference, first: &[Record], second: &[Record], expected: &str) {
        let (first, second) = (first.to_vec(), second.to_vec());
        let divergence = Divergence {
            step: Step::new(7),
            difference,
            first,
            second,
        };
        assert_eq!(super::difference(&divergence), expected);
    }

    #[test]
    fn each_field_that_differs_is_told() {
        let other = Record {
            value: 5,
            cause: Step::new(4),
            ..RECORD
        };
        let expected = "in cause: e3 against e4; in value: 2 against 5";
        check(Difference::Record, &[RECORD], &[RECORD, other], expected);
        let other = Record {
            kind: Kind::End,
            value: 9,
            ..RECORD
        };
        check(
            Difference::Record,
            &[RECORD],
            &[other],
            "in what happened: mark against end",
        );
        let other = Record {
            head: [0x0201, 0],
            ..RECORD
        };
        let expected = "in payload: 00000000000000000000000000000000 against \
                        01020000000000000000000000000000";
        check(Difference::Record, &[RECORD], &[other], expected);
    }

    #[test]
    fn an_end_and_the_rest_of_a_payload_are_told() {
        check(
            Difference::Record,
            &[],
            &[RECORD],
            "the first run has ended before",
        );
        let expected = "the run in the fresh process has ended before";
        check(Difference::Record, &[RECORD], &[], expected);
        let expected = "in the payload, after its first 16 bytes";
        check(Difference::Payload, &[RECORD], &[RECORD], expected);
    }
}
