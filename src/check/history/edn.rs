//! EDN, as much of it as histories are written in.
//!
//! Reads nil, booleans, numbers, strings, characters, keywords, symbols, lists, vectors, sets,
//! maps, tags (which are dropped), discards and comments (<https://github.com/edn-format/edn>).
//! A top-level vector or list around all events is looked through.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Event, History, Item, Kind, Malformed, Mark, Value, name_of};
use crate::kernel::SimTime;

pub(super) fn read(text: &str) -> Result<History, Malformed> {
    let mut history = History::new();
    let mut reader = EdnReader::new(text);
    while let Some(item) = reader.next_item()? {
        item.push_to(&mut history)
            .map_err(|malformed| malformed.at_line(reader.item_line))?;
    }
    Ok(history)
}

/// Reads one event after the other.
pub(crate) struct EdnReader<'a> {
    text: &'a [u8],
    at: usize,
    /// Of the place `at`.
    line: u64,
    /// Where the line begins.
    line_start: usize,
    /// Where the last item began.
    pub(crate) item_line: u64,
    /// Inside one vector or list around all events: its end.
    wrapped: Option<u8>,
    begun: bool,
}

const VALID: &str = "events are maps such as {:process 0, :type :invoke, :f :read, :value nil}";
const NESTED: &str = "values are nested 64 deep at most";
const DEPTH_MAX: u32 = 64;

impl<'a> EdnReader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            line: 1,
            line_start: 0,
            item_line: 1,
            wrapped: None,
            begun: false,
        }
    }

    /// The next event or mark; `None` at the end.
    pub(crate) fn next_item(&mut self) -> Result<Option<Item>, Malformed> {
        loop {
            self.skip_space()?;
            self.skip_tag()?;
            self.item_line = self.line;
            match self.peek() {
                None if self.wrapped.is_some() => {
                    return Err(self.fault("the vector of events does not end", "close it by `]`"));
                }
                None => return Ok(None),
                Some(open @ (b'[' | b'(')) if !self.begun => {
                    self.at += 1;
                    self.begun = true;
                    self.wrapped = Some(if open == b'[' { b']' } else { b')' });
                }
                Some(close) if self.wrapped == Some(close) => {
                    self.at += 1;
                    self.wrapped = None;
                }
                Some(b'{') => {
                    self.begun = true;
                    return self.map_item().map(Some);
                }
                Some(_) => return Err(self.fault("this is no event", VALID)),
            }
        }
    }

    fn map_item(&mut self) -> Result<Item, Malformed> {
        let mut fields = Fields::default();
        let line = self.line;
        self.at += 1;
        loop {
            self.skip_space()?;
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                None => return Err(self.fault("the map does not end", "close it by `}`")),
                Some(_) => {}
            }
            let name = if self.peek() == Some(b':') {
                self.at += 1;
                String::from_utf8_lossy(self.word())
            } else {
                match self.value(0)? {
                    Value::Text(name) => Cow::Owned(name.into_string()),
                    other => {
                        return Err(self.fault(format!("{other} is no name of a field"), VALID));
                    }
                }
            };
            self.skip_space()?;
            if self.peek() == Some(b'}') {
                return Err(self.fault(format!("`:{name}` has no value"), "give it one"));
            }
            let value = self.value(0)?;
            fields.set(&name, value).map_err(|m| m.at_line(line))?;
        }
        fields.item().map_err(|m| m.at_line(line))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault(&self, reason: impl Into<String>, help: &'static str) -> Malformed {
        Malformed::new(reason, help)
            .at_line(self.line)
            .at_column((self.at - self.line_start) as u64 + 1)
    }

    /// Space, commas, comments, and values that `#_` discards.
    fn skip_space(&mut self) -> Result<(), Malformed> {
        loop {
            match self.peek() {
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                Some(b' ' | b',' | b'\t' | b'\r' | 0x0C) => self.at += 1,
                Some(b';') => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                Some(b'#') if self.text.get(self.at + 1) == Some(&b'_') => {
                    self.at += 2;
                    self.value(0)?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// A tag such as `#jepsen.history.Op` and the space behind it.
    fn skip_tag(&mut self) -> Result<(), Malformed> {
        while self.peek() == Some(b'#')
            && self
                .text
                .get(self.at + 1)
                .is_some_and(u8::is_ascii_alphabetic)
        {
            self.at += 1;
            self.word();
            self.skip_space()?;
        }
        Ok(())
    }

    /// The characters up to the next that ends a word.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|byte| {
            !byte.is_ascii_whitespace() && !b",;\"()[]{}".contains(&byte) && byte != 0x0C
        }) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn value(&mut self, depth: u32) -> Result<Value, Malformed> {
        if depth > DEPTH_MAX {
            return Err(self.fault("a value is nested too deep", NESTED));
        }
        self.skip_space()?;
        self.skip_tag()?;
        match self.peek() {
            None => Err(self.fault("the text ends inside an event", "complete it")),
            Some(b'"') => self.text(),
            Some(b'[') => self.sequence(b']', depth).map(Value::List),
            Some(b'(') => self.sequence(b')', depth).map(Value::List),
            Some(b'{') => self.pairs(depth).map(Value::Map),
            Some(b'#') if self.text.get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                self.sequence(b'}', depth).map(Value::List)
            }
            Some(b'\\') => self.character(),
            Some(b':') => {
                self.at += 1;
                let word = self.word();
                if word.is_empty() {
                    return Err(self.fault("a keyword has no name", "write it as `:name`"));
                }
                Ok(Value::Text(String::from_utf8_lossy(word).into()))
            }
            Some(_) => self.number_or_symbol(),
        }
    }

    fn number_or_symbol(&mut self) -> Result<Value, Malformed> {
        let word = self.word();
        if word.is_empty() {
            let what = char::from(self.peek().unwrap_or(b' '));
            return Err(self.fault(format!("`{what}` is not expected here"), "remove it"));
        }
        Ok(match word {
            b"nil" => Value::Nil,
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            _ => {
                let word = String::from_utf8_lossy(word);
                let digits = word.strip_prefix('+').unwrap_or(&word);
                // `7N` is a whole number of any size.
                let digits = digits.strip_suffix('N').unwrap_or(digits);
                match digits.parse() {
                    Ok(int) => Value::Int(int),
                    Err(_) => Value::Text(word.into()),
                }
            }
        })
    }

    fn sequence(&mut self, end: u8, depth: u32) -> Result<Vec<Value>, Malformed> {
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            self.skip_space()?;
            match self.peek() {
                Some(close) if close == end => {
                    self.at += 1;
                    return Ok(elements);
                }
                Some(b']' | b')' | b'}') => {
                    let what = char::from(end);
                    let reason = format!("a bracket of another kind closes; `{what}` is open");
                    return Err(self.fault(reason, "close brackets in the order of opening"));
                }
                _ => elements.push(self.value(depth + 1)?),
            }
        }
    }

    fn pairs(&mut self, depth: u32) -> Result<Vec<(Value, Value)>, Malformed> {
        let elements = self.sequence(b'}', depth)?;
        if elements.len() % 2 == 1 {
            return Err(self.fault("a key of a map has no value", "give it one"));
        }
        let mut elements = elements.into_iter();
        let mut pairs = Vec::with_capacity(elements.len() / 2);
        while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    fn character(&mut self) -> Result<Value, Malformed> {
        self.at += 1;
        let word = String::from_utf8_lossy(self.word());
        let text = match &*word {
            "newline" => "\n",
            "space" => " ",
            "tab" => "\t",
            "return" => "\r",
            "" => return Err(self.fault("a character has no name", "write it as `\\a`")),
            other => other,
        };
        Ok(Value::from(text))
    }

    fn text(&mut self) -> Result<Value, Malformed> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let byte = self.peek();
            self.at += 1;
            match byte {
                None => return Err(self.fault("a string does not end", "close it by `\"`")),
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut bytes)?,
                Some(byte) => {
                    if byte == b'\n' {
                        self.line += 1;
                        self.line_start = self.at;
                    }
                    bytes.push(byte);
                }
            }
        }
        // The source is text, and is cut at characters of ASCII only.
        Ok(Value::Text(String::from_utf8_lossy(&bytes).into()))
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Malformed> {
        let byte = self.peek();
        self.at += 1;
        bytes.push(match byte {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(quoted @ (b'"' | b'\\' | b'/')) => quoted,
            Some(b'u') => {
                let digits = self.text.get(self.at..self.at + 4);
                let code = digits
                    .and_then(|d| std::str::from_utf8(d).ok())
                    .and_then(|d| u32::from_str_radix(d, 16).ok());
                let Some(code) = code else {
                    return Err(self.fault("`\\u` needs four hexadecimal digits", "add them"));
                };
                self.at += 4;
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                let mut buffer = [0; 4];
                bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                return Ok(());
            }
            _ => return Err(self.fault("an unknown escape in a string", "write `\\\\` for `\\`")),
        });
        Ok(())
    }
}

/// The fields of an event, as far as they are known.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) process: Option<Value>,
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) f: Option<Cow<'a, str>>,
    pub(super) key: Option<Value>,
    pub(super) value: Value,
    pub(super) time: Option<Value>,
    pub(super) index: Option<Value>,
}

impl Fields<'_> {
    fn set(&mut self, name: &str, value: Value) -> Result<(), Malformed> {
        let twice = || Malformed::new(format!("`{name}` is there twice"), "remove one");
        let field = match name {
            "process" => &mut self.process,
            "type" | "f" => {
                let word = match value {
                    Value::Text(word) => Cow::Owned(word.into_string()),
                    Value::Nil => return Ok(()),
                    other => {
                        let reason = format!("`{name}` is {other}");
                        return Err(Malformed::new(reason, "it is a name, such as :read"));
                    }
                };
                let field = if name == "f" {
                    &mut self.f
                } else {
                    &mut self.kind
                };
                return match field.replace(word) {
                    None => Ok(()),
                    Some(_) => Err(twice()),
                };
            }
            "key" => &mut self.key,
            "time" => &mut self.time,
            "index" => &mut self.index,
            "value" => {
                self.value = value;
                return Ok(());
            }
            // Errors, logs and what else tests write.
            _ => return Ok(()),
        };
        match field.replace(value) {
            None => Ok(()),
            Some(_) => Err(twice()),
        }
    }

    /// The event or mark that they are of.
    pub(super) fn item(self) -> Result<Item, Malformed> {
        let f = self.f.map_or(Cow::Borrowed(""), |f| name_of(&f));
        let time = match self.time {
            None | Some(Value::Nil) => SimTime::ZERO,
            // Jepsen's first events may be before its zero.
            Some(Value::Int(time)) => SimTime::from_nanos(u64::try_from(time).unwrap_or(0)),
            Some(other) => {
                let reason = format!("`time` is {other}");
                return Err(Malformed::new(reason, "time is in whole nanoseconds"));
            }
        };
        let index = self.index.and_then(|index| index.as_int());
        let process = match self.process {
            Some(Value::Int(process)) => u32::try_from(process).map_err(|_| {
                let reason = format!("process {process} is out of range");
                Malformed::new(reason, "processes are numbers from 0 to 4294967295")
            })?,
            Some(Value::Text(_)) => {
                let mark = Mark {
                    f: f.into_owned(),
                    value: self.value,
                    time,
                    position: 0,
                };
                return Ok(Item::Mark(mark));
            }
            _ => return Err(Malformed::new("an event has no `process`", VALID)),
        };
        let kind = match self.kind {
            Some(kind) => Kind::named(&kind).ok_or_else(|| {
                let reason = format!("`{kind}` is no type of event");
                Malformed::new(reason, "types are invoke, ok, fail and info")
            })?,
            None => return Err(Malformed::new("an event has no `type`", VALID)),
        };
        Ok(Item::Event(Event {
            process,
            kind,
            f,
            key: self.key,
            value: self.value,
            time,
            index: index.and_then(|i| u64::try_from(i).ok()).unwrap_or(0),
        }))
    }
}

pub(super) fn write(history: &History) -> String {
    let mut text = String::new();
    let mut marks = history.marks().iter().peekable();
    for (position, event) in history.events().iter().enumerate() {
        while let Some(mark) = marks.next_if(|mark| mark.position as usize <= position) {
            write_mark(&mut text, mark);
        }
        let (process, kind, f) = (event.process, event.kind.name(), &event.f);
        put(
            &mut text,
            format_args!("{{:process {process}, :type :{kind}, :f "),
        );
        write_name(&mut text, f);
        if let Some(key) = &event.key {
            put(&mut text, format_args!(", :key {key}"));
        }
        let (value, time, index) = (&event.value, event.time.as_nanos(), event.index);
        put(
            &mut text,
            format_args!(", :value {value}, :time {time}, :index {index}}}\n"),
        );
    }
    marks.for_each(|mark| write_mark(&mut text, mark));
    text
}

fn write_mark(text: &mut String, mark: &Mark) {
    text.push_str("{:process :nemesis, :type :info, :f ");
    write_name(text, &mark.f);
    let (value, time) = (&mark.value, mark.time.as_nanos());
    put(text, format_args!(", :value {value}, :time {time}}}\n"));
}

/// A name as a keyword, if it can be one.
fn write_name(text: &mut String, name: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.*+!?/".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        put(text, format_args!(":{name}"));
    } else {
        put(text, format_args!("{}", Value::from(name)));
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes every write");
}
