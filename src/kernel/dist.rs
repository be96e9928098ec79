//! Distributions of durations: how long a message, a write or a pause takes.
//!
//! Owns the shapes and their sampling. It must never know what takes that long.
//!
//! The only file of the kernel with floating point. A sample decides the order of events, so each
//! operation must have one result on every platform: `+ - * /` and the square root are fixed by
//! IEEE 754, and `log`, `exp` and `cos` come from `libm`, which computes them in software, never
//! from std, which asks the platform. Parameters are integers, so that a scenario file gives back
//! the very distribution that was written.
#![expect(
    clippy::float_arithmetic,
    reason = "each operation here has one result on every platform, and reference values fix it"
)]

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::span::{self, Span};
use super::time::duration_to_nanos;
use super::{Choices, Point, Probability};

/// A distribution of durations, in whole nanoseconds.
///
/// Durations beyond `u64::MAX` nanoseconds (584 years) count as that many.
///
/// ```
/// use core::time::Duration;
/// use stormglass::kernel::{Choices, Distribution, EntityKey, Site};
///
/// let latency = Distribution::Uniform {
///     min: Duration::from_millis(1),
///     max: Duration::from_millis(5),
/// };
/// assert!(latency.validate().is_ok());
///
/// let mut choices = Choices::new(7);
/// let mut point = Choices::point(Site::new("net.latency"), EntityKey::of("a"));
/// let sample = latency.sample(&mut choices, &mut point);
/// assert!(sample >= Duration::from_millis(1) && sample <= Duration::from_millis(5));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Distribution {
    /// Always the same duration. Takes no draw.
    #[serde(with = "span::text")]
    Constant(Duration),
    /// All durations from `min` to `max` equally likely. Takes one draw, or none if they are equal.
    Uniform {
        /// The shortest duration.
        #[serde(with = "span::text")]
        min: Duration,
        /// The longest duration.
        #[serde(with = "span::text")]
        max: Duration,
    },
    /// `min` and an exponential part on top; what exceeds `max` becomes `max`. Takes one draw.
    Exponential {
        /// The shortest duration.
        #[serde(with = "span::text")]
        min: Duration,
        /// The mean of the part above `min`, before the cut at `max`.
        #[serde(with = "span::text")]
        mean: Duration,
        /// The longest duration. Samples reach at most `min` + 37 × `mean`.
        #[serde(with = "span::text")]
        max: Duration,
    },
    /// Many durations near `median` and a long tail; what exceeds `max` becomes `max`. Takes two
    /// draws.
    LogNormal {
        /// Half of the durations are shorter.
        #[serde(with = "span::text")]
        median: Duration,
        /// Deviation of the logarithm, in thousandths: 0 to 10,000. At 1,000 one duration in six
        /// exceeds 2.7 × `median`, and one in 44 exceeds 7.4 × `median`.
        sigma_milli: u32,
        /// The longest duration.
        #[serde(with = "span::text")]
        max: Duration,
    },
    /// `slow` with the given chance, else `fast`. Takes one draw besides those of the chosen part.
    Bimodal {
        /// The usual durations.
        fast: Box<Self>,
        /// The durations of the slow case.
        slow: Box<Self>,
        /// The chance of the slow case.
        slow_chance: Probability,
    },
    /// The sum of one sample of each; zero if there is none.
    Compound(Vec<Self>),
}

impl Distribution {
    /// A duration drawn at `point`.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) would give an error, for the parameters that are used.
    #[must_use]
    pub fn sample(&self, choices: &mut Choices, point: &mut Point) -> Duration {
        Duration::from_nanos(self.sample_ns(choices, point))
    }

    fn sample_ns(&self, choices: &mut Choices, point: &mut Point) -> u64 {
        match self {
            Self::Constant(duration) => duration_to_nanos(*duration),
            Self::Uniform { min, max } => {
                choices.between(point, duration_to_nanos(*min), duration_to_nanos(*max))
            }
            Self::Exponential { min, mean, max } => {
                let exponential = -libm::log(unit(choices.draw(point)));
                let above_ns = round_ns(to_float(*mean) * exponential);
                duration_to_nanos(*min)
                    .saturating_add(above_ns)
                    .min(duration_to_nanos(*max))
            }
            Self::LogNormal {
                median,
                sigma_milli,
                max,
            } => {
                let exponent = f64::from(*sigma_milli) / 1_000.0 * normal(choices, point);
                round_ns(to_float(*median) * libm::exp(exponent)).min(duration_to_nanos(*max))
            }
            Self::Bimodal {
                fast,
                slow,
                slow_chance,
            } => {
                let chosen = if choices.chance(point, *slow_chance) {
                    slow
                } else {
                    fast
                };
                chosen.sample_ns(choices, point)
            }
            Self::Compound(parts) => parts
                .iter()
                .map(|part| part.sample_ns(choices, point))
                .fold(0, u64::saturating_add),
        }
    }

    /// The duration of a [`Constant`](Self::Constant): a fast path for those who sample often.
    #[must_use]
    pub const fn constant(&self) -> Option<Duration> {
        match self {
            Self::Constant(duration) => Some(*duration),
            Self::Uniform { .. }
            | Self::Exponential { .. }
            | Self::LogNormal { .. }
            | Self::Bimodal { .. }
            | Self::Compound(_) => None,
        }
    }

    /// No sample is shorter than this.
    #[must_use]
    pub fn min(&self) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
            Self::Uniform { min, .. } | Self::Exponential { min, .. } => *min,
            Self::LogNormal { .. } => Duration::ZERO,
            Self::Bimodal { fast, slow, .. } => fast.min().min(slow.min()),
            Self::Compound(parts) => parts
                .iter()
                .map(Self::min)
                .fold(Duration::ZERO, Duration::saturating_add),
        }
    }

    /// The longest duration that can come.
    #[must_use]
    pub fn max(&self) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
            Self::Uniform { max, .. }
            | Self::Exponential { max, .. }
            | Self::LogNormal { max, .. } => *max,
            Self::Bimodal { fast, slow, .. } => fast.max().max(slow.max()),
            Self::Compound(parts) => parts
                .iter()
                .map(Self::max)
                .fold(Duration::ZERO, Duration::saturating_add),
        }
    }

    /// A duration in the middle of those that are drawn: the median, or near it.
    #[must_use]
    pub fn typical(&self) -> Duration {
        match self {
            Self::Constant(duration) => *duration,
            Self::Uniform { min, max } => *min + max.saturating_sub(*min) / 2,
            // The median is 0.69 of the mean.
            Self::Exponential { min, mean, max } => min.saturating_add(*mean / 10 * 7).min(*max),
            Self::LogNormal { median, .. } => *median,
            Self::Bimodal { fast, .. } => fast.typical(),
            Self::Compound(parts) => parts
                .iter()
                .map(Self::typical)
                .fold(Duration::ZERO, Duration::saturating_add),
        }
    }

    /// Checks the parameters, also those of parts.
    ///
    /// # Errors
    /// The first parameter found that makes no sense.
    pub fn validate(&self) -> Result<(), DistributionError> {
        match self {
            Self::Constant(_) => Ok(()),
            Self::Uniform { min: low, max } | Self::Exponential { min: low, max, .. } => {
                in_order("min", *low, *max)
            }
            Self::LogNormal { sigma_milli, .. } if *sigma_milli > SIGMA_MILLI_MAX => {
                Err(DistributionError::Sigma {
                    sigma_milli: *sigma_milli,
                })
            }
            Self::LogNormal { median, max, .. } => in_order("median", *median, *max),
            Self::Bimodal { fast, slow, .. } => fast.validate().and_then(|()| slow.validate()),
            Self::Compound(parts) => parts.iter().try_for_each(Self::validate),
        }
    }
}

/// Why a [`Distribution`] makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DistributionError {
    /// The lower parameter of that name is above the longest duration.
    Order {
        /// The name of the lower parameter: `min` or `median`.
        name: &'static str,
        /// Its value.
        low: Duration,
        /// The longest duration.
        max: Duration,
    },
    /// The deviation of a log-normal distribution is beyond 10.
    Sigma {
        /// The deviation, in thousandths.
        sigma_milli: u32,
    },
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(duration) => write!(f, "{}", Span(*duration)),
            Self::Uniform { min, max } => write!(f, "{} to {}", Span(*min), Span(*max)),
            Self::Exponential { min, mean, max } => {
                let (min, mean, max) = (Span(*min), Span(*mean), Span(*max));
                write!(f, "{min} and {mean} in the mean, up to {max}")
            }
            Self::LogNormal { median, max, .. } => {
                write!(f, "around {}, up to {}", Span(*median), Span(*max))
            }
            Self::Bimodal {
                fast,
                slow,
                slow_chance,
            } => write!(f, "{fast}, or with a chance of {slow_chance} {slow}"),
            Self::Compound(parts) if parts.is_empty() => f.write_str("0s"),
            Self::Compound(parts) => {
                for (number, part) in parts.iter().enumerate() {
                    let plus = if number == 0 { "" } else { " + " };
                    write!(f, "{plus}{part}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for DistributionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { name, low, max } => {
                write!(
                    f,
                    "{name} ({low:?}) is above max ({max:?}): give a max of at least {name}"
                )
            }
            Self::Sigma { sigma_milli } => write!(
                f,
                "sigma_milli is {sigma_milli}: give a deviation up to {SIGMA_MILLI_MAX} thousandths"
            ),
        }
    }
}

impl core::error::Error for DistributionError {}

fn in_order(name: &'static str, low: Duration, max: Duration) -> Result<(), DistributionError> {
    if low > max {
        return Err(DistributionError::Order { name, low, max });
    }
    Ok(())
}

/// A sample of the standard normal distribution, by two draws.
///
/// Source: Box and Muller, "A Note on the Generation of Random Normal Deviates" (1958). The second
/// deviate that the method gives is not kept: the next sample must not depend on this one.
fn normal(choices: &mut Choices, point: &mut Point) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(unit(choices.draw(point))));
    radius * libm::cos(core::f64::consts::TAU * unit(choices.draw(point)))
}

/// A draw as a number strictly between 0 and 1, so that its logarithm is finite and negative.
fn unit(draw: u64) -> f64 {
    // 52 bits and a half: every value is exact in the 53 bits of an f64.
    ((draw >> 12) as f64 + 0.5) * (1.0 / (1_u64 << 52) as f64)
}

fn to_float(duration: Duration) -> f64 {
    duration_to_nanos(duration) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted of a duration that is too long"
)]
fn round_ns(nanos: f64) -> u64 {
    // Adding a half and cutting is exact enough below 2^52 ns, and has one result everywhere.
    (nanos + 0.5) as u64
}

/// The largest deviation: beyond it one sample in six would exceed 22,000 medians.
const SIGMA_MILLI_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::super::{EntityKey, Site};
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn point() -> Point {
        Choices::point(Site::new("test.dist"), EntityKey::of("a"))
    }

    fn samples(distribution: &Distribution, count: usize) -> Vec<u64> {
        let (mut choices, mut point) = (Choices::new(0), point());
        (0..count)
            .map(|_| duration_to_nanos(distribution.sample(&mut choices, &mut point)))
            .collect()
    }

    fn mean(distribution: &Distribution) -> f64 {
        const COUNT: usize = 100_000;
        samples(distribution, COUNT)
            .iter()
            .map(|ns| *ns as f64)
            .sum::<f64>()
            / COUNT as f64
    }

    #[track_caller]
    fn check_mean(distribution: &Distribution, expected_ms: f64) {
        let mean = mean(distribution) / 1e6;
        assert!(
            (mean / expected_ms - 1.0).abs() < 0.01,
            "{mean} ms, not {expected_ms} ms"
        );
    }

    fn exponential() -> Distribution {
        Distribution::Exponential {
            min: ms(1),
            mean: ms(10),
            max: ms(1_000),
        }
    }

    fn log_normal() -> Distribution {
        Distribution::LogNormal {
            median: ms(10),
            sigma_milli: 500,
            max: ms(1_000),
        }
    }

    fn bimodal() -> Distribution {
        Distribution::Bimodal {
            fast: Box::new(Distribution::Uniform {
                min: ms(1),
                max: ms(3),
            }),
            slow: Box::new(Distribution::Constant(ms(100))),
            slow_chance: Probability::percent(10),
        }
    }

    #[test]
    fn golden_vectors() {
        let check = |distribution: Distribution, expected: [u64; 4]| {
            assert_eq!(samples(&distribution, 4), expected, "{distribution:?}");
        };
        check(Distribution::Constant(ms(7)), [7_000_000; 4]);
        check(
            Distribution::Uniform {
                min: ms(1),
                max: ms(3),
            },
            [1_472_041, 2_461_132, 1_611_026, 2_617_695],
        );
        check(
            exponential(),
            [15_438_360, 4_139_359, 12_857_628, 3_121_452],
        );
        check(log_normal(), [9_016_826, 13_208_279, 18_209_136, 9_214_825]);
        check(bimodal(), [2_461_132, 2_617_695, 2_884_129, 1_549_795]);
        check(
            Distribution::Compound(vec![exponential(), log_normal(), bimodal()]),
            [26_050_460, 13_217_712, 38_132_640, 30_397_981],
        );
    }

    #[test]
    fn the_functions_of_libm_have_one_result() {
        // Bits, not nearness: one in the last place is another run.
        let check = |value: f64, bits: u64| assert_eq!(value.to_bits(), bits, "{value}");
        check(libm::log(0.1), 0xc002_6bb1_bbb5_5515);
        check(libm::log(unit(0)), 0xc042_5e4f_7b27_37fa);
        // glibc ends this one in 7: the very difference that must not reach a run.
        check(libm::exp(1.7), 0x4015_e552_770d_f8a6);
        check(libm::exp(-3.3), 0x3fa2_e259_bb85_be85);
        check(libm::cos(2.5), 0xbfe9_a2f7_ef85_8b7d);
        check(libm::sqrt(2.0), 0x3ff6_a09e_667f_3bcd);
    }

    #[test]
    fn means_are_those_of_the_textbook() {
        check_mean(&Distribution::Constant(ms(7)), 7.0);
        check_mean(
            &Distribution::Uniform {
                min: ms(1),
                max: ms(3),
            },
            2.0,
        );
        check_mean(&exponential(), 11.0);
        // The mean of a log-normal distribution is its median times e^(sigma^2 / 2).
        check_mean(&log_normal(), 10.0 * libm::exp(0.125));
        check_mean(&bimodal(), 0.9 * 2.0 + 0.1 * 100.0);
        check_mean(
            &Distribution::Compound(vec![exponential(), bimodal()]),
            11.0 + 11.8,
        );
    }

    #[test]
    fn shapes_are_those_of_the_textbook() {
        let share = |distribution: &Distribution, above: Duration| {
            let above = duration_to_nanos(above);
            let samples = samples(distribution, 100_000);
            samples.iter().filter(|ns| **ns > above).count() as f64 / 100_000.0
        };
        let near = |share: f64, expected: f64| {
            assert!((share - expected).abs() < 0.01, "{share}, not {expected}");
        };
        near(share(&exponential(), ms(11)), libm::exp(-1.0));
        near(share(&exponential(), ms(31)), libm::exp(-3.0));
        near(share(&log_normal(), ms(10)), 0.5);
        // One deviation above the median.
        near(
            share(
                &log_normal(),
                Duration::from_secs_f64(0.01 * libm::exp(0.5)),
            ),
            0.1587,
        );
        near(
            share(
                &Distribution::Uniform {
                    min: ms(0),
                    max: ms(4),
                },
                ms(1),
            ),
            0.75,
        );
    }

    #[test]
    fn bounds_are_kept() {
        let narrow = [
            Distribution::Uniform {
                min: ms(1),
                max: ms(2),
            },
            Distribution::Exponential {
                min: ms(1),
                mean: ms(50),
                max: ms(2),
            },
        ];
        for distribution in narrow {
            for ns in samples(&distribution, 10_000) {
                assert!((1_000_000..=2_000_000).contains(&ns));
            }
            assert_eq!(distribution.min(), ms(1));
        }
        let wide = Distribution::LogNormal {
            median: ms(1),
            sigma_milli: 10_000,
            max: ms(2),
        };
        assert!(samples(&wide, 10_000).iter().all(|ns| *ns <= 2_000_000));
    }

    #[test]
    fn the_minimum_of_parts() {
        assert_eq!(bimodal().min(), ms(1));
        assert_eq!(log_normal().min(), Duration::ZERO);
        assert_eq!(
            Distribution::Compound(vec![exponential(), bimodal()]).min(),
            ms(2)
        );
        assert_eq!(Distribution::Compound(Vec::new()).min(), Duration::ZERO);
    }

    #[test]
    fn extremes_saturate() {
        let forever = Distribution::Constant(Duration::MAX);
        let sum = Distribution::Compound(vec![forever, Distribution::Constant(ms(1))]);
        assert_eq!(samples(&sum, 1), [u64::MAX]);
        let slow = Distribution::Exponential {
            min: ms(1),
            mean: Duration::MAX,
            max: Duration::MAX,
        };
        assert!(samples(&slow, 1_000).iter().all(|ns| *ns >= 1_000_000));
        assert!(unit(0) > 0.0);
        assert!(unit(u64::MAX) < 1.0);
    }

    #[test]
    fn each_shape_takes_the_draws_it_says() {
        let check = |distribution: Distribution, draws: u64| {
            let (mut choices, mut used) = (Choices::new(0), point());
            let _ = distribution.sample(&mut choices, &mut used);
            let mut expected = point();
            for _ in 0..draws {
                choices.draw(&mut expected);
            }
            assert_eq!(used, expected, "{distribution:?}");
        };
        let seven = || Distribution::Constant(ms(7));
        check(seven(), 0);
        check(Distribution::Compound(vec![seven(), seven()]), 0);
        check(
            Distribution::Uniform {
                min: ms(1),
                max: ms(1),
            },
            0,
        );
        check(
            Distribution::Uniform {
                min: ms(1),
                max: ms(2),
            },
            1,
        );
        check(exponential(), 1);
        check(log_normal(), 2);
        check(
            Distribution::Bimodal {
                fast: Box::new(seven()),
                slow: Box::new(seven()),
                slow_chance: Probability::percent(1),
            },
            1,
        );
        assert_eq!(seven().constant(), Some(ms(7)));
        assert_eq!(exponential().constant(), None);
    }

    #[test]
    fn nonsense_is_named() {
        let check = |distribution: Distribution, expected: &str| {
            assert_eq!(distribution.validate().unwrap_err().to_string(), expected);
        };
        let reversed = || Distribution::Uniform {
            min: ms(2),
            max: ms(1),
        };
        check(
            reversed(),
            "min (2ms) is above max (1ms): give a max of at least min",
        );
        check(
            Distribution::Exponential {
                min: ms(3),
                mean: ms(1),
                max: ms(1),
            },
            "min (3ms) is above max (1ms): give a max of at least min",
        );
        check(
            Distribution::LogNormal {
                median: ms(4),
                sigma_milli: 1,
                max: ms(1),
            },
            "median (4ms) is above max (1ms): give a max of at least median",
        );
        check(
            Distribution::LogNormal {
                median: ms(4),
                sigma_milli: 10_001,
                max: ms(9),
            },
            "sigma_milli is 10001: give a deviation up to 10000 thousandths",
        );
        let order = "min (2ms) is above max (1ms): give a max of at least min";
        check(
            Distribution::Compound(vec![exponential(), reversed()]),
            order,
        );
        let with = |fast, slow| Distribution::Bimodal {
            fast: Box::new(fast),
            slow: Box::new(slow),
            slow_chance: Probability::NEVER,
        };
        check(with(reversed(), exponential()), order);
        check(with(exponential(), reversed()), order);
        for fine in [
            exponential(),
            log_normal(),
            bimodal(),
            Distribution::Constant(ms(1)),
        ] {
            assert_eq!(fine.validate(), Ok(()));
        }
    }

    #[test]
    fn reads_well_as_json() {
        let check = |distribution: Distribution, expected: &str| {
            assert_eq!(serde_json::to_string(&distribution).unwrap(), expected);
            assert_eq!(
                serde_json::from_str::<Distribution>(expected).unwrap(),
                distribution
            );
        };
        check(Distribution::Constant(ms(1)), r#"{"constant":"1ms"}"#);
        check(
            exponential(),
            r#"{"exponential":{"min":"1ms","mean":"10ms","max":"1s"}}"#,
        );
        check(
            log_normal(),
            r#"{"log_normal":{"median":"10ms","sigma_milli":500,"max":"1s"}}"#,
        );
        check(
            Distribution::Compound(vec![bimodal()]),
            concat!(
                r#"{"compound":[{"bimodal":{"#,
                r#""fast":{"uniform":{"min":"1ms","max":"3ms"}},"#,
                r#""slow":{"constant":"100ms"},"slow_chance":"10/100"}}]}"#
            ),
        );
    }
}
