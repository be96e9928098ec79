//! Rust source files as the rules see them: without comments, texts and tests, and the paths that
//! their code names.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file.
pub(super) struct Source {
    /// Below the root of the workspace, with `/`.
    pub(super) path: String,
    /// As it is on disk.
    pub(super) text: String,
    /// The same lines, where comments and the insides of texts are blank.
    pub(super) code: String,
    /// The same again, where items under `#[cfg(test)]` are blank too.
    pub(super) code_without_tests: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = without_comments(text);
        let code_without_tests = without_tests(&code);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            code_without_tests,
        }
    }

    /// Whether it is all tests: a module that its parent declares under `#[cfg(test)]`.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The top-level module of the library that it belongs to: `net` for `src/net/udp.rs`.
    pub(super) fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }
}

/// The root of the workspace.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a member lies in the workspace")
        .into()
}

/// All Rust files below some directories of the workspace, in the order of their paths.
pub(super) fn sources(directories: &[&str]) -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for directory in directories {
        collect(&root.join(directory), &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file is text");
        let below = path.strip_prefix(&root).expect("it was found there");
        Source::new(&below.to_string_lossy().replace('\\', "/"), &text)
    };
    paths.into_iter().map(read).collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).expect("the directory is part of the workspace");
    for entry in entries {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The lines, from 1, on which `code` has `word`, not as a part of a longer one.
pub(super) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_part = |letter: Option<char>| letter.is_some_and(|l| l.is_alphanumeric() || l == '_');
    code.match_indices(word)
        .filter(|(at, _)| {
            let (before, after) = (&code[..*at], &code[at + word.len()..]);
            !is_part(before.chars().next_back()) && !is_part(after.chars().next())
        })
        .map(|(at, _)| line_of(code, at))
        .collect()
}

/// All paths in `code` that begin with `root`, groups taken apart, with the lines on which they
/// begin: `use std::{fs, io::{Read, Write}};` has `fs`, `io::Read` and `io::Write` of `std`.
pub(super) fn paths(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let start = format!("{root}::");
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        // `$crate::` belongs to whoever expands the macro, and `a::std::` is no root.
        if before.is_some_and(|l| l.is_alphanumeric() || matches!(l, '_' | '$' | ':')) {
            continue;
        }
        let line = line_of(code, at);
        let mut ends = Vec::new();
        tree(&code[at + start.len()..], "", &mut ends);
        found.extend(ends.into_iter().map(|path| (line, path)));
    }
    found
}

/// Adds the paths of a use tree at the beginning of `code`, and gives how long the tree is.
fn tree(code: &str, prefix: &str, ends: &mut Vec<String>) -> usize {
    let mut at = code.len() - code.trim_start().len();
    if code[at..].starts_with('{') {
        at += 1;
        while !code[at..].trim_start().is_empty() && !code[at..].trim_start().starts_with('}') {
            at += tree(&code[at..], prefix, ends);
            // What is renamed is known by its first name.
            at += code[at..].find([',', '}']).unwrap_or(code.len() - at);
            if code[at..].starts_with(',') {
                at += 1;
            }
        }
        return code
            .len()
            .min(at + code[at..].find('}').map_or(0, |end| end + 1));
    }
    let name: String = code[at..]
        .chars()
        .take_while(|l| l.is_alphanumeric() || *l == '_')
        .collect();
    at += name.len();
    let path = if prefix.is_empty() {
        name
    } else {
        format!("{prefix}::{name}")
    };
    if let Some(rest) = code[at..].strip_prefix("::")
        && rest.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '{'))
    {
        return at + 2 + tree(rest, &path, ends);
    }
    ends.push(path);
    at
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Blanks comments and the insides of texts, keeping all line breaks.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest, 1),
            'r' if !code.ends_with(|l: char| l.is_alphanumeric() || l == '_') => raw_text(rest),
            '\'' => character(rest),
            _ => 0,
        };
        let taken = length.max(first.len_utf8());
        if length == 0 {
            code.push(first);
        } else {
            code.extend(
                rest[..taken]
                    .chars()
                    .map(|l| if l == '\n' { '\n' } else { ' ' }),
            );
        }
        rest = &rest[taken..];
    }
    code
}

/// The length of the block comment at the beginning of `text`; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a text or character whose inside begins at `from`, up to its closing quote.
fn quoted(text: &str, from: usize) -> usize {
    let quote = text[..from].chars().next_back().expect("a quote opens it");
    let mut escaped = false;
    for (at, letter) in text[from..].char_indices() {
        if !escaped && letter == quote {
            return from + at + 1;
        }
        escaped = !escaped && letter == '\\';
    }
    text.len()
}

/// The length of the raw text at the beginning of `text`; 0 if there is none.
fn raw_text(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|l| *l == '#').count();
    let open = 1 + hashes + 1;
    if text.as_bytes().get(open - 1) != Some(&b'"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open..]
        .find(&close)
        .map_or(text.len(), |at| open + at + close.len())
}

/// The length of the character at the beginning of `text`; 0 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.chars().skip(1);
    match (letters.next(), letters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(text, 1),
        _ => 0,
    }
}

/// Blanks items under `#[cfg(test)]`. Takes code without comments and texts.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut rest = code;
    let mut kept = String::with_capacity(code.len());
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let length = MARK.len() + item(&rest[at + MARK.len()..]);
        kept.extend(
            rest[at..at + length]
                .chars()
                .filter(|letter| *letter == '\n'),
        );
        rest = &rest[at + length..];
    }
    kept + rest
}

/// The length of the item at the beginning of `code`: to its semicolon or its closing brace.
fn item(code: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in code.char_indices() {
        match letter {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_and_texts_are_blank() {
    let code = |text: &str| Source::new("src/a.rs", text).code;
    assert_eq!(code("a // b\nc"), "a     \nc");
    assert_eq!(code("a /* b /* c */\n */ d"), "a             \n    d");
    assert_eq!(
        code(r#"f("a // \" b", c)"#),
        format!("f({}, c)", " ".repeat(11))
    );
    assert_eq!(code("r#\"a \" b\"# c"), format!("{} c", " ".repeat(10)));
    assert_eq!(code("for r in x"), "for r in x");
    assert_eq!(code("&'a str, '\"', b'\\'' c"), "&'a str,    , b     c");
}

#[test]
fn tests_are_blank() {
    let source = Source::new("src/a.rs", "a\n#[cfg(test)]\nmod tests {\n    {x}\n}\nb");
    assert_eq!(source.code_without_tests, "a\n\n\n\n\nb");
    let source = Source::new("src/a.rs", "#[cfg(test)]\nmod tests;\nb");
    assert_eq!(source.code_without_tests, "\n\nb");
    let source = Source::new("src/a.rs", "#[cfg(not(test))]\nmod a;");
    assert_eq!(source.code_without_tests, source.text);
}

#[test]
fn paths_are_found_one_by_one() {
    let check = |code: &str, expected: &[(usize, &str)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, path)| (*line, (*path).to_owned()))
            .collect();
        assert_eq!(paths(code, "std"), expected);
    };
    check("use std::fs;", &[(1, "fs")]);
    check(
        "use std::{fs, io::{self, Read}};\n",
        &[(1, "fs"), (1, "io::self"), (1, "io::Read")],
    );
    check(
        "use std::{\n    fs as f,\n    env,\n};",
        &[(1, "fs"), (1, "env")],
    );
    check(
        "\nlet x = std::env::var(std::mem::take(y));",
        &[(2, "env::var"), (2, "mem::take")],
    );
    check(
        "std::iter::repeat::<u8>(0); a::std::fs; $std::fs; my_std::fs",
        &[(1, "iter::repeat")],
    );
}

#[test]
fn words_are_found_whole() {
    assert_eq!(lines_with("Sim\nSimTime\nMySim, Sim", "Sim"), [1, 3]);
}
