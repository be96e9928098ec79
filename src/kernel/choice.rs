//! Named choice points: the one door through which everything random passes.
//!
//! Owns the seed, the streams and the integer arithmetic on draws. It must never know what is
//! decided with a draw, and nothing else in the crate may draw random numbers.
//!
//! A choice point is a *site* (what is decided: `net.latency`) and an *entity* (whom it concerns: a
//! link, a node, a task). Draw `k` of a point is a pure function of the seed, the site's name, the
//! entity's key and `k`: words `2k` and `2k + 1` of a ChaCha8 stream whose key is the seed and
//! whose number is the point's hash. So one more or one fewer draw at one point shifts no other
//! point, and a point needs to keep nothing but its hash and a count.
//!
//! Every draw of every point goes through [`Choices::draw`], which knows the point and `k`. That is
//! the place for looking up draws that a scenario overrides.

use core::fmt;
use core::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::SimTime;
use super::digest::avalanche;

/// What is decided at a choice point, by name: `net.latency`, `exec.pick`, `user.rng`.
///
/// Meant to be a constant, so that the name is hashed by the compiler.
///
/// ```
/// use stormglass::kernel::{Choices, EntityKey, Site};
///
/// const LATENCY: Site = Site::new("net.latency");
///
/// let mut choices = Choices::new(7);
/// let link = EntityKey::pair(EntityKey::of("db-1"), EntityKey::of("db-2"));
/// let mut point = Choices::point(LATENCY, link);
/// assert!(choices.below(&mut point, 100) < 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    name: &'static str,
    hash: u64,
}

impl Site {
    /// The site of this name. Equal names are the same site.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            hash: hash_name(name),
        }
    }

    /// The name, as reports and scenarios print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// Whom a choice concerns, as a hash of the entity's name that is made once, with the entity.
///
/// Two entities of a world share a key by accident with a chance of `n * n / 2^65` among `n`; they
/// would then see the same draws at the same site, which is deterministic though not independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityKey(u64);

impl EntityKey {
    /// The entity of this name.
    #[must_use]
    pub const fn of(name: &str) -> Self {
        Self(hash_name(name))
    }

    /// The key as a number, which tells entities apart in a trace.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The entity that leads from `a` to `b`, such as a link. The opposite direction is another.
    #[must_use]
    pub const fn pair(a: Self, b: Self) -> Self {
        Self(mix(PAIR, a.0, b.0))
    }

    /// The part of this entity with number `n`, such as a task of a node.
    #[must_use]
    pub const fn indexed(self, n: u64) -> Self {
        Self(mix(INDEXED, self.0, n))
    }
}

/// The state of a choice point: which stream, and how many draws were taken from it.
///
/// A clone draws the same values again. Kept by whoever owns the entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    stream: u64,
    drawn: u64,
}

const _: () = assert!(size_of::<Point>() == 16);

impl Point {
    /// The number of the point's stream, which tells points apart in a trace.
    #[must_use]
    pub const fn stream(&self) -> u64 {
        self.stream
    }
}

/// All choices of one run, decided by its seed.
///
/// Keeps the streams' next values for the points in use; that table is a cache, and no value
/// depends on what it holds.
pub struct Choices {
    /// The cipher under the key of the seed; its position is set anew for each window.
    cipher: ChaCha8Rng,
    /// Windows of the streams in use, found by the low bits of the stream number. Empty before the
    /// first draw, then a power of two long.
    windows: Vec<Window>,
    /// How often a window in use was replaced by that of another stream since the table last grew.
    conflicts: usize,
}

/// A stretch of one stream, aligned to its own length.
#[derive(Clone)]
struct Window {
    stream: u64,
    /// The first draw of the window, or [`UNUSED`].
    first: u64,
    draws: [[u8; 8]; WINDOW_DRAWS],
}

impl Choices {
    /// The choices of a seed. Allocates nothing until the first draw.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // The key is laid out here because `seed_from_u64` may change between versions.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(KEY_REST);
        Self {
            cipher: ChaCha8Rng::from_seed(key),
            windows: Vec::new(),
            conflicts: 0,
        }
    }

    /// The point of a site and an entity, before its first draw. It does not depend on the seed.
    ///
    /// For a given site different keys are different streams, and the other way round.
    #[must_use]
    pub const fn point(site: Site, entity: EntityKey) -> Point {
        Point {
            stream: mix(POINT, site.hash, entity.0),
            drawn: 0,
        }
    }

    /// A priority for the holder of `key` at the instant `at`, to order those ready together.
    ///
    /// Keeps no state on purpose: whether an instant is shared depends on others, and a draw taken
    /// only then would let the others shift this holder's stream. The key is to be drawn once.
    #[must_use]
    pub const fn keyed(key: u64, at: SimTime) -> u64 {
        mix(KEYED, key, at.as_nanos())
    }

    /// The next draw of a point: 64 uniform bits.
    #[inline]
    pub fn draw(&mut self, point: &mut Point) -> u64 {
        let draw = point.drawn;
        point.drawn += 1;
        let nth = low_bits(draw % WINDOW_DRAWS as u64);
        let slot = self.slot(point.stream);
        // Before the first draw the table is empty, and any slot is outside it.
        if let Some(window) = self.windows.get(slot)
            && window.stream == point.stream
            && window.first == draw - nth as u64
        {
            return u64::from_le_bytes(window.draws[nth]);
        }
        u64::from_le_bytes(self.load(point.stream, draw - nth as u64).draws[nth])
    }

    /// A number below `n`, by one draw; none if `n` is 1.
    ///
    /// The high half of `draw * n`: each number is hit by 2^64 / `n` draws, rounded up or down, so
    /// that its chance differs from 1 / `n` by less than 2^-64.
    ///
    /// # Panics
    /// If `n` is 0.
    #[inline]
    #[track_caller]
    pub fn below(&mut self, point: &mut Point, n: u64) -> u64 {
        assert!(
            n > 0,
            "no number is below 0: ask for a number below 1 or more"
        );
        if n == 1 {
            return 0;
        }
        high_half(u128::from(self.draw(point)) * u128::from(n))
    }

    /// A number from `low` to `high`, both included, by one draw; none if they are equal.
    ///
    /// # Panics
    /// If `low` is above `high`.
    #[inline]
    #[track_caller]
    pub fn between(&mut self, point: &mut Point, low: u64, high: u64) -> u64 {
        assert!(
            low <= high,
            "nothing lies between {low} and {high}: give the lower bound first"
        );
        match (high - low).checked_add(1) {
            Some(n) => low + self.below(point, n),
            None => self.draw(point),
        }
    }

    /// Whether something of this probability happens, by one draw; none if it is never or always.
    #[inline]
    pub fn chance(&mut self, point: &mut Point, probability: Probability) -> bool {
        if probability.is_never() || probability.is_always() {
            return probability.is_always();
        }
        self.below(point, u64::from(probability.den)) < u64::from(probability.num)
    }

    /// Fills a buffer with uniform bytes, one draw for eight bytes, the low byte first.
    pub fn fill(&mut self, point: &mut Point, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.draw(point).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    /// Puts a slice into a random order, every order equally likely, by one draw less than it has
    /// elements.
    ///
    /// Source: Fisher and Yates in Durstenfeld's form (CACM 1964, algorithm 235).
    pub fn shuffle<T>(&mut self, point: &mut Point, slice: &mut [T]) {
        for last in (1..slice.len()).rev() {
            let picked = self.below(point, last as u64 + 1);
            slice.swap(last, low_bits(picked));
        }
    }

    /// The window that begins with draw `first` of a stream, put into the table.
    #[cold]
    #[inline(never)]
    fn load(&mut self, stream: u64, first: u64) -> &Window {
        self.make_room(stream);
        // In this order neither setter computes a block, which they do for a position inside one.
        self.cipher.set_word_pos(0);
        self.cipher.set_stream(stream);
        self.cipher.set_word_pos(u128::from(first) * 2);
        let slot = self.slot(stream);
        let window = &mut self.windows[slot];
        window.stream = stream;
        window.first = first;
        self.cipher.fill_bytes(window.draws.as_flattened_mut());
        window
    }

    /// Makes the table, or doubles it when its streams have replaced each other as often as it has
    /// slots. What it held is computed again when needed, which costs no more than the conflicts.
    fn make_room(&mut self, stream: u64) {
        let slots = self.windows.len();
        if slots == 0 {
            self.windows = vec![Window::EMPTY; SLOTS_MIN];
            return;
        }
        let window = &self.windows[self.slot(stream)];
        if window.stream == stream || window.first == UNUSED {
            return;
        }
        self.conflicts += 1;
        if self.conflicts >= slots && slots < SLOTS_MAX {
            self.conflicts = 0;
            self.windows.clear();
            self.windows.resize(slots * 2, Window::EMPTY);
        }
    }

    /// The place of a stream's window in the table.
    #[inline]
    fn slot(&self, stream: u64) -> usize {
        // Stream numbers are hashes, so their low bits serve as they are.
        low_bits(stream) & self.windows.len().wrapping_sub(1)
    }
}

impl fmt::Debug for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choices").finish_non_exhaustive()
    }
}

impl Window {
    const EMPTY: Self = Self {
        stream: 0,
        first: UNUSED,
        draws: [[0; 8]; WINDOW_DRAWS],
    };
}

/// How likely something is, as a fraction of integers: exact and the same on every platform.
///
/// Probabilities compare by value: 1/2 equals 50/100, and they decide alike on the same draw.
///
/// ```
/// use stormglass::kernel::Probability;
///
/// assert_eq!(Probability::percent(25), Probability::new(1, 4));
/// assert_eq!(Probability::per_million(10).to_string(), "10/1000000");
/// ```
#[derive(Clone, Copy, Debug, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Probability {
    num: u32,
    den: u32,
}

impl Probability {
    /// It never happens, and asking takes no draw.
    pub const NEVER: Self = Self { num: 0, den: 1 };
    /// It always happens, and asking takes no draw.
    pub const ALWAYS: Self = Self { num: 1, den: 1 };

    /// `num` times out of `den`.
    ///
    /// # Panics
    /// If `den` is 0 or `num` is above `den`.
    #[must_use]
    #[track_caller]
    pub const fn new(num: u32, den: u32) -> Self {
        assert!(
            den > 0,
            "a probability out of 0 means nothing: give a denominator of 1 or more"
        );
        assert!(
            num <= den,
            "a probability is at most 1: give a numerator up to the denominator"
        );
        Self { num, den }
    }

    /// `percent` times out of a hundred.
    ///
    /// # Panics
    /// If `percent` is above 100.
    #[must_use]
    #[track_caller]
    pub const fn percent(percent: u32) -> Self {
        Self::new(percent, 100)
    }

    /// `count` times out of a million.
    ///
    /// # Panics
    /// If `count` is above 1,000,000.
    #[must_use]
    #[track_caller]
    pub const fn per_million(count: u32) -> Self {
        Self::new(count, 1_000_000)
    }

    /// The chance that at least one of `count` things happens, each with this chance, where that is
    /// so low that two at once do not matter: the sum, at most one.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        let num = (self.num as u64).saturating_mul(count);
        if num >= self.den as u64 {
            return Self::ALWAYS;
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is below `den`")]
        let num = num as u32;
        Self { num, den: self.den }
    }

    /// Whether this is zero.
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.num == 0
    }

    /// Whether this is one.
    #[must_use]
    pub const fn is_always(self) -> bool {
        self.num == self.den
    }
}

impl Default for Probability {
    /// [`Probability::NEVER`].
    fn default() -> Self {
        Self::NEVER
    }
}

impl PartialEq for Probability {
    fn eq(&self, other: &Self) -> bool {
        u64::from(self.num) * u64::from(other.den) == u64::from(other.num) * u64::from(self.den)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

impl From<Probability> for String {
    fn from(probability: Probability) -> Self {
        probability.to_string()
    }
}

impl TryFrom<String> for Probability {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Probability {
    type Err = String;

    /// Reads `1/8`, `25%`, `2.5%`, `0` or `1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no probability: write for example \"1/8\" or \"2.5%\"");
        let (num, den) = if let Some(percent) = text.strip_suffix('%') {
            let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
            let places = u32::try_from(decimals.len()).map_err(|_| wrong())?;
            let den = 10_u32
                .checked_pow(places)
                .and_then(|over| over.checked_mul(100));
            (format!("{whole}{decimals}"), den.ok_or_else(wrong)?)
        } else if let Some((num, den)) = text.split_once('/') {
            (num.to_owned(), den.parse().map_err(|_| wrong())?)
        } else {
            (text.to_owned(), 1)
        };
        let num: u32 = num.parse().map_err(|_| wrong())?;
        if den == 0 || num > den {
            return Err(format!("{text} is no probability: give one from 0 to 1"));
        }
        Ok(Self { num, den })
    }
}

/// The stable hash behind sites and entities: FNV-1a on 64 bits, then [`avalanche`], since the high
/// bits of FNV hardly depend on the last bytes.
///
/// Source: Fowler, Noll and Vo, RFC 9923.
const fn hash_name(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        index += 1;
    }
    avalanche(hash)
}

/// Mixes two words into one, differently for each `purpose`. The order of the words matters, and
/// with one of them given this is a bijection of the other.
#[inline]
const fn mix(purpose: u64, a: u64, b: u64) -> u64 {
    avalanche(avalanche(a.wrapping_add(purpose)) ^ b)
}

const fn high_half(word: u128) -> u64 {
    (word >> 64) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only low bits are asked for"
)]
const fn low_bits(word: u64) -> usize {
    word as usize
}

/// The part of the cipher's key after the seed, which tells these streams from others.
const KEY_REST: &[u8; 24] = b"stormglass choices key 1";

// Multiples of 2^64 divided by the golden ratio: odd purposes, far from each other.
const PAIR: u64 = 0x9e37_79b9_7f4a_7c15;
const INDEXED: u64 = 0x3c6e_f372_fe94_f82a;
const POINT: u64 = 0xdaa6_6d2c_7ddf_743f;
const KEYED: u64 = 0x78dd_e6e5_fd29_f054;

/// Draws of a window: what the cipher computes at once, four blocks of 16 words.
const WINDOW_DRAWS: usize = 32;
/// Marks a window that holds nothing: no window of a stream begins there.
const UNUSED: u64 = u64::MAX;
/// Slots of the table at the first draw: 4 KiB, little beside the world that is simulated.
const SLOTS_MIN: usize = 16;
/// Slots at most: 1.1 MB. Ten times more would not fit a core's cache, and a window read from
/// memory is hardly cheaper than one computed anew.
const SLOTS_MAX: usize = 4_096;

const _: () = assert!(SLOTS_MIN.is_power_of_two());
const _: () = assert!(SLOTS_MAX.is_power_of_two());
const _: () = assert!(!UNUSED.is_multiple_of(WINDOW_DRAWS as u64));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LATENCY: Site = Site::new("net.latency");
    const PICK: Site = Site::new("exec.pick");

    fn link() -> EntityKey {
        EntityKey::pair(EntityKey::of("db-1"), EntityKey::of("db-2"))
    }

    fn numbered(n: u64) -> Point {
        Choices::point(LATENCY, EntityKey::of("task").indexed(n))
    }

    fn draws(seed: u64, mut point: Point, count: usize) -> Vec<u64> {
        let mut choices = Choices::new(seed);
        (0..count).map(|_| choices.draw(&mut point)).collect()
    }

    fn hex(words: &[u64]) -> String {
        words
            .iter()
            .map(|word| format!("{word:016x}"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[track_caller]
    fn golden(words: &[u64], expected: &str) {
        assert_eq!(hex(words), expected);
    }

    #[test]
    fn golden_vectors_of_names() {
        golden(
            &[Site::new("").hash, LATENCY.hash, PICK.hash],
            "f52a15e9a9b5e89b 8e10eb06ab9455ce f566188f1e95180d",
        );
        let (a, b) = (EntityKey::of("a"), EntityKey::of("b"));
        golden(&[a.0, b.0], "02c0bdbf481420f8 3e35b21bfb9b6405");
        golden(
            &[EntityKey::pair(a, b).0, EntityKey::pair(b, a).0],
            "dddc75d224be33f8 c15fbc6ce3e8e81e",
        );
        golden(
            &[a.indexed(0).0, a.indexed(1).0, a.indexed(0).indexed(1).0],
            "c608b3c20e4e3b93 73b114cd53bf93c0 863a66ba4ff589c1",
        );
        golden(
            &[
                Choices::point(LATENCY, a).stream,
                Choices::point(PICK, a).stream,
            ],
            "ba3e94d51e70d48e 03d010a4c527c991",
        );
        golden(
            &[
                Choices::keyed(1, SimTime::ZERO),
                Choices::keyed(1, SimTime::from_nanos(1)),
            ],
            "769dd690108842d6 37a71a75d522f15b",
        );
    }

    #[test]
    fn golden_vectors_of_draws() {
        golden(
            &draws(0, Choices::point(LATENCY, link()), 4),
            "e3b263ecd802a384 f4d428312322ace6 553a8d6b4e9eb5c8 5ce30fb6cf462986",
        );
        golden(
            &draws(1, Choices::point(LATENCY, link()), 4),
            "af573b1e1bed7c6f c159905465c3f70d ab93d96c31e1cb4b 322f3de17b30d89e",
        );
        golden(
            &draws(0, Choices::point(PICK, EntityKey::of("a")), 4),
            "af26fbda2d680677 bacc1f7be4f6f1fe 482903826bce14cf 3e40f91c2461e0a2",
        );
        golden(
            &draws(u64::MAX, Choices::point(PICK, EntityKey::of("a")), 4),
            "909e7e5b84c72b0e 3c86128790439297 800dadc3a90e93c2 b3b11e018c97d5de",
        );
    }

    #[test]
    fn golden_vectors_of_helpers() {
        let (mut choices, mut point) = (Choices::new(0), numbered(0));
        let below: Vec<_> = (0..4).map(|_| choices.below(&mut point, 1_000)).collect();
        let between: Vec<_> = (0..4)
            .map(|_| choices.between(&mut point, 10, 99))
            .collect();
        let chance: Vec<_> = (0..8)
            .map(|_| choices.chance(&mut point, Probability::percent(50)))
            .collect();
        let (mut bytes, mut order) = ([0; 11], [0, 1, 2, 3, 4, 5, 6, 7]);
        choices.fill(&mut point, &mut bytes);
        choices.shuffle(&mut point, &mut order);
        let all = format!("{below:?} {between:?} {chance:?} {bytes:?} {order:?}");
        let expected = concat!(
            "[313, 545, 433, 500] [77, 57, 77, 61] ",
            "[false, true, true, true, false, false, true, true] ",
            "[64, 230, 21, 191, 145, 117, 141, 104, 195, 140, 105] [2, 7, 1, 5, 6, 4, 0, 3]",
        );
        assert_eq!(all, expected);
        assert_eq!(point.drawn, 4 + 4 + 8 + 2 + 7);
    }

    #[test]
    fn a_draw_is_a_place_in_a_chacha8_stream() {
        let mut key = *b"seedSEEDstormglass choices key 1";
        key[..8].copy_from_slice(&77_u64.to_le_bytes());
        let mut point = numbered(5);
        let mut cipher = ChaCha8Rng::from_seed(key);
        cipher.set_stream(point.stream);
        let mut choices = Choices::new(77);
        for k in 0..200 {
            assert_eq!(choices.draw(&mut point), cipher.next_u64(), "draw {k}");
        }
        for k in [0, 31, 32, 1 << 20, (1 << 40) + 17] {
            cipher.set_word_pos(u128::from(k) * 2);
            let (low, high) = (cipher.next_u32(), cipher.next_u32());
            point.drawn = k;
            assert_eq!(
                choices.draw(&mut point),
                u64::from(high) << 32 | u64::from(low)
            );
        }
    }

    #[test]
    fn names_and_order_make_the_point() {
        let (a, b) = (EntityKey::of("a"), EntityKey::of("b"));
        let mut streams = vec![
            Choices::point(LATENCY, a).stream,
            Choices::point(LATENCY, b).stream,
            Choices::point(PICK, a).stream,
            Choices::point(LATENCY, EntityKey::pair(a, b)).stream,
            Choices::point(LATENCY, EntityKey::pair(b, a)).stream,
            Choices::point(LATENCY, EntityKey::pair(a, a)).stream,
            Choices::point(LATENCY, a.indexed(0)).stream,
            Choices::point(LATENCY, a.indexed(1)).stream,
            Choices::point(LATENCY, a.indexed(b.0)).stream,
            Choices::point(LATENCY, a.indexed(0).indexed(0)).stream,
        ];
        streams.sort_unstable();
        streams.dedup();
        assert_eq!(streams.len(), 10);
        assert_eq!(
            Choices::point(Site::new("net.latency"), a),
            Choices::point(LATENCY, a)
        );
    }

    #[test]
    fn eviction_never_changes_a_value() {
        let mut choices = Choices::new(3);
        let mut points: Vec<_> = (0..10_000).map(numbered).collect();
        let expected: Vec<_> = (0..10_000).map(|n| draws(3, numbered(n), 40)).collect();
        for k in 0..40 {
            for (point, expected) in points.iter_mut().zip(&expected) {
                assert_eq!(choices.draw(point), expected[k]);
            }
        }
        assert_eq!(choices.windows.len(), SLOTS_MAX);
    }

    #[test]
    fn the_table_is_made_late_and_grows_by_need() {
        let mut choices = Choices::new(3);
        assert_eq!(choices.windows.capacity(), 0);
        let mut point = numbered(0);
        for _ in 0..10_000 {
            choices.draw(&mut point);
        }
        assert_eq!(choices.windows.len(), SLOTS_MIN);
    }

    proptest! {
        #[test]
        fn a_point_draws_alike_alone_and_among_others(
            seed in any::<u64>(),
            order in prop::collection::vec(0..50_u64, 0..2_000),
        ) {
            let mut choices = Choices::new(seed);
            let mut points: Vec<_> = (0..50).map(numbered).collect();
            let mut seen = vec![Vec::new(); 50];
            for n in order {
                let n = usize::try_from(n).unwrap();
                seen[n].push(choices.draw(&mut points[n]));
            }
            for (n, seen) in seen.into_iter().enumerate() {
                prop_assert_eq!(&seen, &draws(seed, numbered(n as u64), seen.len()));
            }
        }

        #[test]
        fn draws_at_one_point_change_no_other(
            order in prop::collection::vec(0..8_u64, 0..500),
            extra in prop::collection::vec(any::<bool>(), 500),
        ) {
            let run = |with_extra: bool| {
                let mut choices = Choices::new(9);
                let mut points: Vec<_> = (0..8).map(numbered).collect();
                let mut other = Choices::point(PICK, EntityKey::of("other"));
                let mut seen = Vec::new();
                for (n, extra) in order.iter().zip(&extra) {
                    if with_extra && *extra {
                        choices.below(&mut other, 10);
                    }
                    seen.push(choices.draw(&mut points[usize::try_from(*n).unwrap()]));
                }
                seen
            };
            prop_assert_eq!(run(false), run(true));
        }

        #[test]
        fn numbers_keep_their_bounds(
            seed in any::<u64>(), low in any::<u64>(), high in any::<u64>(),
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let (mut choices, mut point) = (Choices::new(seed), numbered(0));
            for _ in 0..20 {
                let number = choices.between(&mut point, low, high);
                prop_assert!((low..=high).contains(&number));
            }
            prop_assert_eq!(point.drawn, if low == high { 0 } else { 20 });
        }

        #[test]
        fn equal_probabilities_decide_alike(
            draw in 0..64_u64, num in 0..=40_u32, factor in 1..1_000_u32,
        ) {
            let one = Probability::new(num, 40);
            let other = Probability::new(num * factor, 40 * factor);
            prop_assert_eq!(one, other);
            let (mut a, mut b) = (numbered(draw), numbered(draw));
            let mut choices = Choices::new(0);
            for _ in 0..50 {
                prop_assert_eq!(choices.chance(&mut a, one), choices.chance(&mut b, other));
            }
        }
    }

    #[test]
    fn all_numbers_are_a_draw_as_it_is() {
        let mut point = numbered(0);
        let number = Choices::new(1).between(&mut point, 0, u64::MAX);
        assert_eq!([number], *draws(1, numbered(0), 1));
    }

    #[test]
    fn small_numbers_are_equally_likely() {
        let (mut choices, mut point) = (Choices::new(1), numbered(0));
        let mut counts = [0_i64; 7];
        for _ in 0..70_000 {
            counts[low_bits(choices.below(&mut point, 7))] += 1;
        }
        // The deviation of a count is 93.
        assert!(
            counts.iter().all(|count| (count - 10_000).abs() < 500),
            "{counts:?}"
        );
    }

    #[test]
    fn a_chance_comes_as_often_as_it_says() {
        let (mut choices, mut point) = (Choices::new(1), numbered(0));
        let mut count = 0_i64;
        for _ in 0..100_000 {
            count += i64::from(choices.chance(&mut point, Probability::percent(30)));
        }
        // The deviation is 145.
        assert!((count - 30_000).abs() < 800, "{count}");
    }

    #[test]
    fn what_is_certain_takes_no_draw() {
        let (mut choices, mut point) = (Choices::new(1), numbered(0));
        assert!(!choices.chance(&mut point, Probability::NEVER));
        assert!(!choices.chance(&mut point, Probability::new(0, 9)));
        assert!(choices.chance(&mut point, Probability::ALWAYS));
        assert!(choices.chance(&mut point, Probability::percent(100)));
        assert_eq!(choices.below(&mut point, 1), 0);
        choices.shuffle(&mut point, &mut [1]);
        choices.fill(&mut point, &mut []);
        assert_eq!(point.drawn, 0);
        assert!(choices.windows.is_empty());
    }

    #[test]
    fn a_shuffle_reaches_every_order() {
        let (mut choices, mut point) = (Choices::new(1), numbered(0));
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut order = [0, 1, 2, 3];
            choices.shuffle(&mut point, &mut order);
            *counts.entry(order).or_insert(0_i64) += 1;
        }
        assert_eq!(counts.len(), 24);
        // The deviation of a count is 31.
        assert!(
            counts.values().all(|count| (count - 1_000).abs() < 200),
            "{counts:?}"
        );
    }

    #[test]
    fn a_buffer_is_filled_with_the_draws_in_order() {
        let (mut choices, mut point) = (Choices::new(1), numbered(0));
        let mut buffer = [0; 19];
        choices.fill(&mut point, &mut buffer);
        let words = draws(1, numbered(0), 3);
        let expected: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(buffer, expected[..19]);
        assert_eq!(point.drawn, 3);
    }

    #[test]
    fn priorities_depend_on_key_and_instant() {
        let at = SimTime::from_nanos;
        assert_ne!(Choices::keyed(1, at(5)), Choices::keyed(2, at(5)));
        assert_ne!(Choices::keyed(1, at(5)), Choices::keyed(1, at(6)));
        assert_eq!(Choices::keyed(1, at(5)), Choices::keyed(1, at(5)));
        // Of two holders each comes first about half of the time: the deviation is 16.
        let first = (0..1_000).filter(|n| Choices::keyed(1, at(*n)) < Choices::keyed(2, at(*n)));
        assert!((420..580).contains(&first.count()));
    }

    #[test]
    fn a_probability_survives_a_file_and_nonsense_does_not() {
        let read = |text: &str| serde_json::from_str::<Probability>(&format!("{text:?}"));
        for (text, num, den) in [
            ("3/10", 3, 10),
            ("25%", 1, 4),
            ("2.5%", 1, 40),
            ("0.001%", 1, 100_000),
            ("0", 0, 1),
            ("1", 1, 1),
        ] {
            assert_eq!(read(text).unwrap(), Probability::new(num, den), "{text}");
        }
        let json = serde_json::to_string(&Probability::new(3, 10)).unwrap();
        assert_eq!(json, r#""3/10""#);
        for bad in [
            "3/2", "0/0", "101%", "half", "", "1/", "%", "-1/2", "1/2/3", "2",
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("is no probability"), "{bad}: {error}");
        }
    }

    #[test]
    fn probabilities_compare_by_value() {
        assert_eq!(Probability::percent(50), Probability::new(1, 2));
        assert_eq!(Probability::new(0, 3), Probability::NEVER);
        assert_eq!(Probability::per_million(1_000_000), Probability::ALWAYS);
        assert_ne!(Probability::new(1, 3), Probability::percent(33));
        assert_eq!(Probability::default(), Probability::NEVER);
    }

    #[test]
    #[should_panic(expected = "give a numerator up to the denominator")]
    fn a_probability_above_one_is_refused() {
        let _ = Probability::percent(101);
    }

    #[test]
    #[should_panic(expected = "out of 0")]
    fn a_probability_out_of_nothing_is_refused() {
        let _ = Probability::new(0, 0);
    }

    #[test]
    #[should_panic(expected = "no number is below 0")]
    fn below_zero_is_refused() {
        Choices::new(0).below(&mut numbered(0), 0);
    }

    #[test]
    #[should_panic(expected = "give the lower bound first")]
    fn reversed_bounds_are_refused() {
        Choices::new(0).between(&mut numbered(0), 2, 1);
    }
}
