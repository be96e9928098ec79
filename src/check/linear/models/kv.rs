//! A key-value store with append.

use super::no_such;
use crate::check::history::Value;
use crate::check::linear::{Blocks, Call, Effect, Model, Outcome, Part, Shortcut};
use crate::check::table::{Interner, number};

/// Text by key, empty in the beginning.
///
/// Operations: `get` (or `read`), whose answer is the text, nil meaning empty; `put` (or `write`);
/// `append`, which adds to the end. What is no text is its EDN form. The keys of a history are
/// judged apart; a history without keys is of one.
///
/// Without a search: histories in which each value is put or appended once, none is empty, and, if
/// there are appends, none begins another. Then a text tells which put it goes back to and which
/// appends followed in which order: these are groups of a block ([`Blocks`]), and an append that no
/// one saw is a block of its own, since it may stand at the end of any other.
#[derive(Clone, Debug, Default)]
pub struct Kv {
    /// All texts that somebody got, sorted, if only those matter.
    seen: Option<Vec<Box<str>>>,
}

impl Kv {
    /// A store that is empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state of a text, or of one that nobody will ever see.
    fn state(&self, text: String) -> KvState {
        if let Some(seen) = &self.seen {
            // Texts that begin with this one stand together, from its own place on.
            let at = seen.partition_point(|other| **other < *text);
            if !seen.get(at).is_some_and(|other| other.starts_with(&*text)) {
                return KvState::Unseen;
            }
        }
        KvState::Text(text.into())
    }
}

/// The state of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KvState {
    /// It has this text.
    Text(Box<str>),
    /// It has a text with which none begins that somebody got, so it does not matter which.
    Unseen,
}

/// An operation of a [`Kv`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KvOp {
    /// It gave this.
    Get(Box<str>),
    /// It wrote this.
    Put(Box<str>),
    /// It added this to the end.
    Append(Box<str>),
}

impl Model for Kv {
    type State = KvState;
    type Op = KvOp;

    fn decode(&self, call: &Call<'_>) -> Result<Option<KvOp>, String> {
        let text = |value: &Value| -> Box<str> {
            match value {
                Value::Nil => "".into(),
                Value::Text(text) => text.clone(),
                other => other.to_string().into(),
            }
        };
        Ok(match (call.f, call.outcome) {
            ("get" | "read", Outcome::Ok(value)) => Some(KvOp::Get(text(value))),
            ("put" | "write", Outcome::Ok(_) | Outcome::Unknown) => {
                Some(KvOp::Put(text(call.input)))
            }
            ("append", Outcome::Ok(_) | Outcome::Unknown) => Some(KvOp::Append(text(call.input))),
            ("get" | "read" | "put" | "write" | "append", _) => None,
            _ => return Err(no_such(call, "key-value store", "get, put and append")),
        })
    }

    fn initial(&self) -> KvState {
        KvState::Text("".into())
    }

    fn step(&self, state: &KvState, op: &KvOp) -> Option<KvState> {
        match (op, state) {
            (KvOp::Get(value), KvState::Text(text)) => (value == text).then(|| state.clone()),
            (KvOp::Get(_), KvState::Unseen) => None,
            (KvOp::Put(value), _) => Some(self.state(value.to_string())),
            (KvOp::Append(value), KvState::Text(text)) => {
                Some(self.state(format!("{text}{value}")))
            }
            (KvOp::Append(_), KvState::Unseen) => Some(KvState::Unseen),
        }
    }

    fn effect(&self, op: &KvOp) -> Effect {
        match op {
            KvOp::Get(_) => Effect::Pure,
            KvOp::Put(_) => Effect::Overwrite,
            KvOp::Append(_) => Effect::Blind,
        }
    }

    fn specialise(&self, ops: &[KvOp]) -> Option<Self> {
        let mut seen: Vec<Box<str>> = Vec::new();
        for op in ops {
            if let KvOp::Get(text) = op {
                seen.push(text.clone());
            }
        }
        seen.sort_unstable();
        seen.dedup();
        Some(Self { seen: Some(seen) })
    }

    fn shortcut(&self, part: &Part<KvOp>) -> Shortcut {
        match Texts::of(part) {
            Some(texts) => texts.judge(part),
            None => Shortcut::Ambiguous,
        }
    }

    fn describe(&self, op: &KvOp) -> String {
        match op {
            KvOp::Get(value) => format!("get -> {value:?}"),
            KvOp::Put(value) => format!("put {value:?}"),
            KvOp::Append(value) => format!("append {value:?}"),
        }
    }

    fn describe_state(&self, state: &KvState) -> String {
        match state {
            KvState::Text(text) => format!("the text is {text:?}"),
            KvState::Unseen => "the text is one that nobody got".to_owned(),
        }
    }
}

/// Who wrote each value.
struct Texts<'a> {
    values: Interner<&'a str>,
    /// The writer of each value, by its number.
    writers: Vec<u32>,
    /// How long values are; one length is usual.
    lengths: Vec<usize>,
    appends: bool,
}

impl<'a> Texts<'a> {
    /// The writers of a part, if it is plain what each text is made of.
    fn of(part: &'a Part<KvOp>) -> Option<Self> {
        let mut this = Self {
            values: Interner::default(),
            writers: Vec::new(),
            lengths: Vec::new(),
            appends: false,
        };
        for (op, what) in (0..).zip(&part.ops) {
            let (KvOp::Put(value) | KvOp::Append(value)) = what else {
                continue;
            };
            this.appends |= matches!(what, KvOp::Append(_));
            let new = this.values.intern(value) as usize == this.writers.len();
            if value.is_empty() || !new {
                return None;
            }
            this.writers.push(op);
            if !this.lengths.contains(&value.len()) {
                this.lengths.push(value.len());
            }
        }
        let begins_another = |this: &Self| {
            let mut sorted = this.values.items().to_vec();
            sorted.sort_unstable();
            sorted.windows(2).any(|two| two[1].starts_with(two[0]))
        };
        // Of equal lengths none begins another.
        if this.appends && this.lengths.len() > 1 && begins_another(&this) {
            return None;
        }
        Some(this)
    }

    /// The value with which a text begins.
    fn first(&self, text: &str) -> Option<(u32, usize)> {
        if !self.appends {
            return Some((self.values.find(text)?, text.len()));
        }
        self.lengths.iter().find_map(|len| {
            let value = text.get(..*len)?;
            Some((self.values.find(value)?, *len))
        })
    }

    fn judge(&self, part: &Part<KvOp>) -> Shortcut {
        self.blocks(part)
            .map_or(Shortcut::Violation, |blocks| blocks.judge(part))
    }

    /// The blocks of puts and of the beginning; `None` if a text cannot have been.
    fn blocks(&self, part: &Part<KvOp>) -> Option<Blocks> {
        // The texts that go back to each put, by the number of its value, and to the beginning.
        let beginning = self.writers.len();
        let mut gets: Vec<(u32, u32, u32)> = Vec::new();
        for (op, what) in (0..).zip(&part.ops) {
            let KvOp::Get(text) = what else { continue };
            let mut of = beginning;
            if !text.is_empty() {
                let (first, _) = self.first(text)?;
                if self.is_put(part, first) {
                    of = first as usize;
                }
            }
            gets.push((number(of), number(text.len()), op));
        }
        // By put, then by length; equal texts stay in the order of their calls.
        gets.sort_unstable();
        let mut is_placed = vec![false; self.writers.len()];
        let mut blocks = Blocks::with_initial();
        blocks.block();
        let split = gets.partition_point(|(of, ..)| (*of as usize) < beginning);
        self.epoch(part, &gets[split..], None, &mut blocks, &mut is_placed)?;
        for gets in gets[..split].chunk_by(|one, other| one.0 == other.0) {
            blocks.block();
            let put = Some(gets[0].0);
            self.epoch(part, gets, put, &mut blocks, &mut is_placed)?;
        }
        for (value, writer) in self.writers.iter().enumerate() {
            if !is_placed[value] && !part.is_open(*writer as usize) {
                blocks.block();
                blocks.op(*writer);
            }
        }
        Some(blocks)
    }

    fn is_put(&self, part: &Part<KvOp>, value: u32) -> bool {
        let writer = self.writers[value as usize];
        matches!(part.ops[writer as usize], KvOp::Put(_))
    }

    /// Adds what goes back to one put, or to the beginning: the appends that were seen, each before
    /// the texts that have it.
    fn epoch(
        &self,
        part: &Part<KvOp>,
        gets: &[(u32, u32, u32)],
        put: Option<u32>,
        blocks: &mut Blocks,
        is_placed: &mut [bool],
    ) -> Option<()> {
        let text_of = |op: u32| match &part.ops[op as usize] {
            KvOp::Get(text) => &**text,
            KvOp::Put(_) | KvOp::Append(_) => "",
        };
        let Some((_, _, longest)) = gets.last() else {
            return Some(());
        };
        let longest = text_of(*longest);
        let mut at = 0;
        for (_, len, op) in gets {
            if !longest.starts_with(text_of(*op)) {
                return None;
            }
            while at < *len as usize {
                let (value, value_len) = self.first(&longest[at..])?;
                let is_first = at == 0 && put.is_some();
                if self.is_put(part, value) != is_first
                    || std::mem::replace(&mut is_placed[value as usize], true)
                {
                    return None;
                }
                blocks.op(self.writers[value as usize]);
                at += value_len;
            }
            // Else it ends inside a value.
            if at != *len as usize {
                return None;
            }
            blocks.op(*op);
        }
        Some(())
    }
}
