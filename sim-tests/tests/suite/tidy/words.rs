//! Words that only some code may say: `unwrap` and `unsafe`.

use super::*;

fn unwrap_rule(source: &Source) -> Complaints {
    if source.is_test() {
        return Vec::new();
    }
    let code = &source.code_without_tests;
    let calls = lines_with(code, "unwrap").into_iter().filter(|line| {
        // A method of the library's own may have the name.
        code.lines()
            .nth(line - 1)
            .is_some_and(|text| text.contains(".unwrap()"))
    });
    calls
        .map(|line| complain(source, line, "`expect` a reason instead of `unwrap`"))
        .collect()
}

#[test]
fn unwrap_is_for_tests() {
    judge(SHIPPED, unwrap_rule);
    let good = "/// x.unwrap()\npub fn unwrap(self) -> T { y.expect(\"made above\") }\n\
                #[cfg(test)]\nmod tests { fn f() { x.unwrap() } }";
    catches(unwrap_rule, "src/a.rs", "let x = y\n    .unwrap();", good);
}

fn unsafe_rule(source: &Source) -> Complaints {
    if source.path.starts_with("src/sys/") {
        return Vec::new();
    }
    let lines = lines_with(&source.code, "unsafe");
    lines
        .into_iter()
        .map(|line| complain(source, line, "`unsafe` is for `sys` alone"))
        .collect()
}

#[test]
fn unsafe_is_for_sys() {
    judge(SHIPPED, unsafe_rule);
    let good = "// No unsafe.\n#![allow(unsafe_code)]";
    catches(
        unsafe_rule,
        "src/exec/a.rs",
        "unsafe { x.get_unchecked(0) }",
        good,
    );
    assert!(unsafe_rule(&Source::new("src/sys/a.rs", "unsafe { f() }")).is_empty());
}
