//! The procedural macros behind `#[stormglass::test]`, `select!`, `join!` and `try_join!`.
//!
//! Owns the grammar of these macros and the code they expand to. It must never know what a
//! simulation is: the expansions name a handful of items of `stormglass::run` and
//! `stormglass::__private`, and those decide what happens.
//!
//! Use the macros through the `stormglass` crate. The three `*_impl` macros expect the crate's own
//! path as their first token, which only a `macro_rules!` wrapper there can supply.
//!
//! The grammar of `select!`, `join!` and `try_join!` is that of the tokio macros of the same names.

mod branches;
mod duration;
mod join;
mod select;
mod test;

use proc_macro::TokenStream;

/// Makes an `async fn` that takes a simulation into a test that is run for many seeds.
///
/// ```text
/// #[stormglass::test(seeds = 100, time_limit = "60s")]
/// async fn an_echo_comes_back(sim: Sim) {
///     // Build nodes on `sim`, drive them, assert.
/// }
/// ```
///
/// The function is called once for each seed, each time with a fresh simulation. It has exactly
/// one parameter and returns `()` or `Result<(), E>` with `E: Debug`. Other attributes
/// (`#[should_panic]`, `#[ignore]`, `#[cfg(..)]`) are kept.
///
/// # Arguments
///
/// All are optional. They override the fields of [`config`](#config) or of the default.
///
/// | argument | value | field of `Config` |
/// |---|---|---|
/// | `seeds = N` | how many seeds, at least 1 | `seeds` |
/// | `seed = N` | the first of them | `first_seed` |
/// | `time_limit = "60s"` | virtual time, in `ns`, `us`, `ms`, `s`, `m` or `h` | `time_limit` |
/// | `step_limit = N` | events in one simulation, at least 1 | `step_limit` |
/// | `policy = ".."` | `random`, `fifo`, `pct`, `starve_one` or `by_seed` | `policy` |
/// | `on_panic = ".."` | `fail`, `kill_node` or `join_error` | `on_panic` |
/// | `digest = "full"` | hash every byte of every payload | `digest` |
/// | `config = expr` | a `Config` to start from | all |
/// | `crate = path` | where `stormglass` is, if it was renamed | |
///
/// # Config
///
/// `config = expr` is evaluated once, outside any simulation. The other arguments win over it,
/// wherever they stand.
///
/// # Expansion
///
/// ```text
/// #[test]
/// fn name() {
///     async fn name(sim: Sim) { .. }                          // the function as written
///     let mut config: ::stormglass::Config = Default::default(); // or the given expression
///     config.seeds = 100u64;                                  // one line for each argument
///     ::stormglass::run::test(concat!(module_path!(), "::", "name"), config, name);
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test::expand(args.into(), item.into()).into()
}

/// `stormglass::select!`, with the crate's path in braces before the user's tokens.
#[doc(hidden)]
#[proc_macro]
pub fn select_impl(input: TokenStream) -> TokenStream {
    match syn::parse::<select::Select>(input) {
        Ok(select) => select.expand().into(),
        Err(error) => error.into_compile_error().into(),
    }
}

/// `stormglass::join!`, with the crate's path in braces before the user's tokens.
#[doc(hidden)]
#[proc_macro]
pub fn join_impl(input: TokenStream) -> TokenStream {
    match syn::parse::<join::Join>(input) {
        Ok(join) => join.expand().into(),
        Err(error) => error.into_compile_error().into(),
    }
}

/// `stormglass::try_join!`, with the crate's path in braces before the user's tokens.
#[doc(hidden)]
#[proc_macro]
pub fn try_join_impl(input: TokenStream) -> TokenStream {
    match syn::parse::<join::Join>(input) {
        Ok(join) => join.expand_try().into(),
        Err(error) => error.into_compile_error().into(),
    }
}
