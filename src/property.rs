//! Properties that a program or a test claims, in the place where it knows of them.
//!
//! Floor 4. A property that is broken ends the run; one that should be seen and never was fails a
//! campaign of enough runs. Outside a simulation, and under the feature `real`, all of this is
//! nothing: the condition is not even computed.

/// Claims that a condition holds whenever this place is reached, and that a campaign reaches it.
///
/// A name that several places share is one property.
///
/// ```
/// # let outcome = stormglass::sim::Builder::new().run(|_| async {
/// let (acknowledged, stored) = (3, 4);
/// stormglass::always!(acknowledged <= stored, "nothing acknowledged is lost");
/// stormglass::always!(stored < 100, "the log is short", "it has {stored} entries");
/// # });
/// # outcome.unwrap();
/// ```
#[macro_export]
macro_rules! always {
    ($condition:expr, $name:literal $(, $($detail:tt)*)?) => {
        $crate::__reach!(Always, $condition, $name $(, $($detail)*)?)
    };
}

/// Claims that a condition holds whenever this place is reached; it need not be.
///
/// As [`always!`](crate::always) otherwise.
#[macro_export]
macro_rules! always_or_unreachable {
    ($condition:expr, $name:literal $(, $($detail:tt)*)?) => {
        $crate::__reach!(AlwaysOrUnreachable, $condition, $name $(, $($detail)*)?)
    };
}

/// Claims that a condition holds at least once in a campaign: that the tests come to what they are
/// for. A number can say how near it came, and each of several cases can be a property of its own.
///
/// ```
/// # let outcome = stormglass::sim::Builder::new().run(|_| async {
/// let (queued, retries) = (7, 2_u64);
/// stormglass::sometimes!(queued > 5, "the queue is long");
/// stormglass::sometimes!(at_least 10, retries, "a request is tried again and again");
/// stormglass::sometimes!(each retries in [0, 1, 2], "requests are tried again");
/// # });
/// # outcome.unwrap();
/// ```
#[macro_export]
macro_rules! sometimes {
    (at_least $bound:expr, $number:expr, $name:literal $(,)?) => {
        $crate::__reach!(number Sometimes, $number, $bound, false, $name)
    };
    (at_most $bound:expr, $number:expr, $name:literal $(,)?) => {
        $crate::__reach!(number Sometimes, $number, $bound, true, $name)
    };
    (each $value:ident in [$($case:literal),+ $(,)?], $name:literal $(,)?) => {
        $($crate::__reach!(
            Sometimes,
            $value == $case,
            $crate::__private::concat!($name, ": ", $case)
        );)+
    };
    ($condition:expr, $name:literal $(,)?) => {
        $crate::__reach!(Sometimes, $condition, $name)
    };
}

/// Claims that this place is reached at least once in a campaign.
#[macro_export]
macro_rules! reachable {
    ($name:literal $(,)?) => {
        $crate::__reach!(Reachable, true, $name)
    };
}

/// Claims that this place is never reached.
///
/// Unlike [`core::unreachable!`] it does not panic: it ends the run in the simulation, and is
/// nothing elsewhere.
#[macro_export]
macro_rules! unreachable {
    ($name:literal $(, $($detail:tt)*)?) => {
        $crate::__reach!(Unreachable, false, $name $(, $($detail)*)?)
    };
}

/// What the properties' macros expand to.
#[cfg(feature = "sim")]
#[doc(hidden)]
#[macro_export]
macro_rules! __reach {
    (number $claim:ident, $number:expr, $bound:expr, $is_upper:literal, $name:expr) => {{
        let (number, bound) = ($number, $bound);
        let holds = if $is_upper { number <= bound } else { number >= bound };
        let margin = $crate::__private::margin(number as i128, bound as i128, $is_upper);
        let site = $crate::__reach!(at $claim, $name);
        site.reach(holds, Some(margin), $crate::__private::String::new);
    }};
    (at $claim:ident, $name:expr) => {{
        static SITE: $crate::__private::PropertySite = $crate::__private::PropertySite {
            claim: $crate::property::Claim::$claim,
            name: $name,
            place: $crate::__private::concat!(
                $crate::__private::file!(),
                ":",
                $crate::__private::line!()
            ),
            declared: $crate::__private::concat!(
                "\u{1}stormglass property\u{2}",
                $crate::__private::stringify!($claim),
                "\u{2}",
                $name,
                "\u{2}",
                $crate::__private::file!(),
                ":",
                $crate::__private::line!(),
                "\u{1}"
            ),
        };
        &SITE
    }};
    ($claim:ident, $condition:expr, $name:expr) => {
        $crate::__reach!(at $claim, $name).reach(
            $condition,
            None,
            $crate::__private::String::new,
        )
    };
    ($claim:ident, $condition:expr, $name:expr, $($detail:tt)*) => {
        $crate::__reach!(at $claim, $name).reach(
            $condition,
            None,
            || $crate::__private::format!($($detail)*),
        )
    };
}

/// What the properties' macros expand to: nothing, with types checked.
#[cfg(not(feature = "sim"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __reach {
    (number $claim:ident, $number:expr, $bound:expr, $is_upper:literal, $name:expr) => {
        if false {
            let _ = $number <= $bound;
        }
    };
    ($claim:ident, $condition:expr, $name:expr $(, $($detail:tt)*)?) => {
        if false {
            let _: bool = $condition;
            $(let _ = $crate::__private::format!($($detail)*);)?
        }
    };
}

#[cfg(feature = "sim")]
pub use crate::exec::{Claim, Properties, PropertyCount};

/// How far a number is on the side of a bound where a property holds; below zero if it is not.
#[cfg(feature = "sim")]
#[doc(hidden)]
#[must_use]
pub fn margin(number: i128, bound: i128, is_upper: bool) -> i64 {
    let margin = if is_upper {
        bound.saturating_sub(number)
    } else {
        number.saturating_sub(bound)
    };
    i64::try_from(margin).unwrap_or(if margin < 0 { i64::MIN } else { i64::MAX })
}
