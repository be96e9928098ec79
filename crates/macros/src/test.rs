//! `#[stormglass::test]`: an `async fn` over a simulation becomes a test over many seeds.
//!
//! Owns the attribute's arguments and the `#[test]` function that it makes. It must never know what
//! a configuration means: each argument becomes one assignment to a public field of `Config`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ItemFn, LitInt, LitStr, Path, Result, Token, Visibility, parse_quote};

use crate::duration;

/// The test function, or the compile error followed by the function as it was, so that editors
/// still see it.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    match try_expand(args, item.clone()) {
        Ok(tokens) => tokens,
        Err(error) => {
            let mut tokens = error.into_compile_error();
            tokens.extend(item);
            tokens
        }
    }
}

fn try_expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let args: Args = syn::parse2(args)?;
    let mut function: ItemFn = syn::parse2(item)?;
    check_function(&function)?;

    // The user's function stays whole, inside the test of the same name: errors point into it,
    // and as a function item it can be called once a seed and sent to the thread of each. The text
    // stays in the program's file, where a runner finds the test without running anything.
    let attributes = std::mem::take(&mut function.attrs);
    let visibility = std::mem::replace(&mut function.vis, Visibility::Inherited);
    let name = &function.sig.ident;
    let krate = &args.krate;
    let config = args.config();
    Ok(quote_spanned! {Span::mixed_site()=>
        #[::core::prelude::v1::test]
        #(#attributes)*
        #visibility fn #name() {
            #function
            #krate::run::test(
                ::core::concat!(
                    "\u{1}stormglass test\u{2}",
                    ::core::module_path!(), "::", ::core::stringify!(#name), "\u{2}",
                    ::core::file!(), ":", ::core::line!(), "\u{1}"
                ),
                #config,
                #name,
            );
        }
    })
}

fn check_function(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new(
            signature.fn_token.span,
            "a simulation test is asynchronous: write `async fn`",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "a test cannot be generic: remove the parameters",
        ));
    }
    if signature.inputs.len() != 1 || signature.receiver().is_some() {
        return Err(Error::new(
            signature.paren_token.span.join(),
            "a simulation test takes the simulation and nothing else: write `(sim: Sim)`",
        ));
    }
    match function
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("test"))
    {
        Some(test) => Err(Error::new(
            test.span(),
            "remove this: stormglass::test adds it",
        )),
        None => Ok(()),
    }
}

/// The arguments, each at most once.
struct Args {
    krate: Path,
    config: Option<Expr>,
    /// In the order written.
    fields: Vec<(&'static str, Value)>,
}

/// What is assigned to a field of `Config`.
#[derive(Debug, PartialEq)]
enum Value {
    Number(u64),
    Nanoseconds(u64),
    /// An expression, as it stands after the crate's path and `::`.
    Item(&'static str),
}

impl Args {
    /// A block that evaluates to the configuration.
    fn config(&self) -> TokenStream {
        let krate = &self.krate;
        let span = Span::mixed_site();
        let base = match &self.config {
            Some(expr) => quote_spanned!(span=> #expr),
            None => quote_spanned!(span=> <#krate::Config as ::core::default::Default>::default()),
        };
        if self.fields.is_empty() {
            return base;
        }
        let fields = self
            .fields
            .iter()
            .map(|(field, _)| format_ident!("{field}"));
        let values = self.fields.iter().map(|(_, value)| value.expand(krate));
        quote_spanned! {span=> {
            let mut config: #krate::Config = #base;
            #(config.#fields = #values;)*
            config
        }}
    }

    fn set(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        let text = name.unraw().to_string();
        let (field, value) = match text.as_str() {
            "crate" => {
                self.krate = Path::parse_mod_style(input)?;
                return Ok(());
            }
            "config" => {
                self.config = Some(input.parse()?);
                return Ok(());
            }
            "seeds" => ("seeds", parse_number(input, 1)?),
            "seed" => ("first_seed", parse_number(input, 0)?),
            "step_limit" => ("step_limit", parse_number(input, 1)?),
            "time_limit" => ("time_limit", parse_duration(input)?),
            "policy" => ("policy", parse_name(input, POLICIES)?),
            "on_panic" => ("on_panic", parse_name(input, ON_PANIC)?),
            "digest" => ("digest", parse_name(input, DIGESTS)?),
            _ => {
                let known = KNOWN.map(|known| format!("`{known}`")).join(", ");
                let message = format!("unknown argument `{text}`; known are {known}");
                return Err(Error::new(name.span(), message));
            }
        };
        self.fields.push((field, value));
        Ok(())
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self {
            krate: parse_quote!(::stormglass),
            config: None,
            fields: Vec::new(),
        };
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            // `crate` is a keyword, which plain ident parsing refuses.
            let name = Ident::parse_any(input)?;
            if seen.contains(&name) {
                return Err(Error::new(
                    name.span(),
                    format!("`{name}` is given twice: keep one"),
                ));
            }
            input.parse::<Token![=]>()?;
            args.set(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(args)
    }
}

impl Value {
    fn expand(&self, krate: &Path) -> TokenStream {
        match *self {
            Self::Number(number) => quote!(#number),
            Self::Nanoseconds(ns) => quote!(::core::time::Duration::from_nanos(#ns)),
            Self::Item(code) => {
                let code: TokenStream = code.parse().expect("the tables below hold Rust");
                quote!(#krate::#code)
            }
        }
    }
}

fn parse_number(input: ParseStream<'_>, min: u64) -> Result<Value> {
    let literal: LitInt = input.parse()?;
    let number: u64 = literal.base10_parse()?;
    if number < min {
        return Err(Error::new(
            literal.span(),
            format!("must be at least {min}"),
        ));
    }
    Ok(Value::Number(number))
}

fn parse_duration(input: ParseStream<'_>) -> Result<Value> {
    let literal: LitStr = input.parse()?;
    match duration::parse_ns(&literal.value()) {
        Ok(ns) => Ok(Value::Nanoseconds(ns)),
        Err(message) => Err(Error::new(literal.span(), message)),
    }
}

fn parse_name(input: ParseStream<'_>, names: &[(&str, &'static str)]) -> Result<Value> {
    let literal: LitStr = input.parse()?;
    let text = literal.value();
    match names.iter().find(|(name, _)| *name == text) {
        Some((_, code)) => Ok(Value::Item(code)),
        None => {
            let known: Vec<String> = names
                .iter()
                .map(|(name, _)| format!("\"{name}\""))
                .collect();
            let message = format!("unknown value \"{text}\"; known are {}", known.join(", "));
            Err(Error::new(literal.span(), message))
        }
    }
}

const KNOWN: [&str; 9] = [
    "seeds",
    "seed",
    "config",
    "time_limit",
    "step_limit",
    "policy",
    "on_panic",
    "digest",
    "crate",
];

/// Names as the user writes them, and what they stand for.
const POLICIES: &[(&str, &str)] = &[
    ("random", "Policy::Random"),
    ("fifo", "Policy::Fifo"),
    // The same numbers that `Policy::BySeed` uses; other ones are given through `config`.
    ("pct", "Policy::Pct { depth: 3, picks: 1_000 }"),
    ("starve_one", "Policy::StarveOne"),
    ("by_seed", "Policy::BySeed"),
];
const ON_PANIC: &[(&str, &str)] = &[
    ("fail", "OnPanic::Fail"),
    ("kill_node", "OnPanic::KillNode"),
    ("join_error", "OnPanic::JoinError"),
];
const DIGESTS: &[(&str, &str)] = &[("full", "kernel::DigestMode::Full")];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(args: &str) -> std::result::Result<Vec<(&'static str, Value)>, String> {
        let args: Result<Args> = syn::parse_str(args);
        args.map(|args| args.fields)
            .map_err(|error| error.to_string())
    }

    /// Looks for a part of the error only: some of it is `syn`'s wording.
    fn check_error(args: &str, function: &str, message: &str) {
        let error = try_expand(args.parse().unwrap(), function.parse().unwrap()).unwrap_err();
        assert!(
            error.to_string().contains(message),
            "#[test({args})] {function}: {error}"
        );
    }

    /// What `run::test` is told of a test `t`.
    const MARK: &str = r#"::core::concat!(
        "\u{1}stormglass test\u{2}",
        ::core::module_path!(), "::", ::core::stringify!(t), "\u{2}",
        ::core::file!(), ":", ::core::line!(), "\u{1}"
    )"#;

    /// Compares up to white space. `MARK` stands for the text above.
    fn check_expansion(args: &str, function: &str, expected: &str) {
        let seen = expand(args.parse().unwrap(), function.parse().unwrap()).to_string();
        let expected = expected.replace("MARK", MARK);
        let [seen, expected] = [&seen, &expected].map(|text| text.replace(char::is_whitespace, ""));
        assert_eq!(seen, expected);
    }

    #[test]
    fn each_argument_sets_its_field() {
        use Value::{Item, Nanoseconds, Number};
        let cases = [
            ("seeds = 10", ("seeds", Number(10))),
            ("seed = 0", ("first_seed", Number(0))),
            ("seed = 0xff", ("first_seed", Number(255))),
            (
                "seed = 18446744073709551615",
                ("first_seed", Number(u64::MAX)),
            ),
            ("step_limit = 1_000_000,", ("step_limit", Number(1_000_000))),
            (
                "time_limit = \"1.5s\"",
                ("time_limit", Nanoseconds(1_500_000_000)),
            ),
            ("policy = \"random\"", ("policy", Item("Policy::Random"))),
            ("policy = \"fifo\"", ("policy", Item("Policy::Fifo"))),
            (
                "policy = \"pct\"",
                ("policy", Item("Policy::Pct { depth: 3, picks: 1_000 }")),
            ),
            (
                "policy = \"starve_one\"",
                ("policy", Item("Policy::StarveOne")),
            ),
            ("policy = \"by_seed\"", ("policy", Item("Policy::BySeed"))),
            ("on_panic = \"fail\"", ("on_panic", Item("OnPanic::Fail"))),
            (
                "on_panic = \"kill_node\"",
                ("on_panic", Item("OnPanic::KillNode")),
            ),
            (
                "on_panic = \"join_error\"",
                ("on_panic", Item("OnPanic::JoinError")),
            ),
            (
                "digest = \"full\"",
                ("digest", Item("kernel::DigestMode::Full")),
            ),
        ];
        for (args, field) in cases {
            assert_eq!(fields(args), Ok(vec![field]), "{args}");
        }
        assert_eq!(
            fields("seeds = 2, config = base(), seed = 3"),
            Ok(vec![("seeds", Number(2)), ("first_seed", Number(3))])
        );
        assert_eq!(fields(""), Ok(Vec::new()));
    }

    #[test]
    fn a_wrong_argument_is_refused_with_the_fix() {
        let cases = [
            ("seeds = 0", "must be at least 1"),
            ("step_limit = 0", "must be at least 1"),
            ("seeds = \"3\"", "expected integer literal"),
            (
                "seeds = 18446744073709551616",
                "number too large to fit in target type",
            ),
            ("seeds", "expected `=`"),
            ("seeds = 1 seed = 2", "expected `,`"),
            (
                "seeds = 1, seed = 2, seeds = 3",
                "`seeds` is given twice: keep one",
            ),
            ("crate = a, crate = b", "`crate` is given twice: keep one"),
            ("time_limit = 60", "expected string literal"),
            (
                "time_limit = \"60\"",
                "`60` has no unit; write one of `ns`, `us`, `ms`, `s`, `m`, `h`",
            ),
            (
                "policy = \"lifo\"",
                "unknown value \"lifo\"; known are \"random\", \"fifo\", \"pct\", \"starve_one\", \
                 \"by_seed\"",
            ),
            (
                "on_panic = \"abort\"",
                "unknown value \"abort\"; known are \"fail\", \"kill_node\", \"join_error\"",
            ),
            (
                "digest = \"half\"",
                "unknown value \"half\"; known are \"full\"",
            ),
            (
                "sedes = 3",
                "unknown argument `sedes`; known are `seeds`, `seed`, `config`, `time_limit`, \
                 `step_limit`, `policy`, `on_panic`, `digest`, `crate`",
            ),
        ];
        for (args, message) in cases {
            check_error(args, "async fn t(sim: Sim) {}", message);
        }
    }

    #[test]
    fn a_wrong_function_is_refused_with_the_fix() {
        let arity = "a simulation test takes the simulation and nothing else: write `(sim: Sim)`";
        let cases = [
            (
                "fn t(sim: Sim) {}",
                "a simulation test is asynchronous: write `async fn`",
            ),
            ("async fn t() {}", arity),
            ("async fn t(sim: Sim, n: u8) {}", arity),
            ("async fn t(self) {}", arity),
            (
                "async fn t<T>(sim: Sim) {}",
                "a test cannot be generic: remove the parameters",
            ),
            (
                "#[test] async fn t(sim: Sim) {}",
                "remove this: stormglass::test adds it",
            ),
        ];
        for (function, message) in cases {
            check_error("", function, message);
        }
    }

    #[test]
    fn the_function_stays_whole_inside_its_test() {
        check_expansion(
            "",
            "#[should_panic] #[ignore = \"x\"] pub async fn t(sim: Sim) -> Result<(), E> { a?; b }",
            "#[::core::prelude::v1::test]
            #[should_panic]
            #[ignore = \"x\"]
            pub fn t() {
                async fn t(sim: Sim) -> Result<(), E> { a?; b }
                ::stormglass::run::test(
                    MARK,
                    <::stormglass::Config as ::core::default::Default>::default(),
                    t,
                );
            }",
        );
    }

    #[test]
    fn arguments_win_over_the_given_config() {
        check_expansion(
            "seeds = 2, crate = a::b, time_limit = \"1s\", policy = \"fifo\", config = base(1)",
            "async fn t(sim: Sim) {}",
            "#[::core::prelude::v1::test]
            fn t() {
                async fn t(sim: Sim) {}
                a::b::run::test(
                    MARK,
                    {
                        let mut config: a::b::Config = base(1);
                        config.seeds = 2u64;
                        config.time_limit = ::core::time::Duration::from_nanos(1000000000u64);
                        config.policy = a::b::Policy::Fifo;
                        config
                    },
                    t,
                );
            }",
        );
    }

    #[test]
    fn an_error_keeps_the_function_for_editors() {
        let tokens = expand(
            "seeds = 0".parse().unwrap(),
            "async fn t(sim: Sim) {}".parse().unwrap(),
        );
        let text = tokens.to_string();
        assert!(text.contains("compile_error"), "{text}");
        assert!(text.ends_with("async fn t (sim : Sim) { }"), "{text}");
    }
}
