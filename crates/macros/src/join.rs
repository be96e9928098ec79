//! `join!` and `try_join!`: wait for several futures at once, in one task.
//!
//! Owns their grammar and expansion. It must never know how the first branch is chosen, only that
//! `__private::select_start` does it, once for each `join!` unless it is `biased;`.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Result, Token};

use crate::branches::{self, BRANCHES_MAX};

/// `{crate path} [biased;] future, ..`
pub(crate) struct Join {
    krate: TokenStream,
    is_biased: bool,
    futures: Punctuated<Expr, Token![,]>,
}

impl Join {
    /// Code that evaluates to a tuple of all outputs.
    pub(crate) fn expand(&self) -> TokenStream {
        let krate = &self.krate;
        let names = branches::names(self.futures.len());
        let arms: Vec<TokenStream> = names
            .iter()
            .map(|name| {
                quote_spanned! {Span::mixed_site()=>
                    pending |= ::core::future::Future::poll(#name.as_mut(), cx).is_pending();
                }
            })
            .collect();
        let outputs = quote_spanned! {Span::mixed_site()=>
            (#(#krate::__private::take(#names.as_mut()),)*)
        };
        self.poll_all(&arms, &outputs)
    }

    /// Code that evaluates to `Ok` of a tuple of all values, or to the first error met.
    pub(crate) fn expand_try(&self) -> TokenStream {
        let krate = &self.krate;
        let names = branches::names(self.futures.len());
        let arms: Vec<TokenStream> = names
            .iter()
            .map(|name| {
                quote_spanned! {Span::mixed_site()=>
                    match #krate::__private::poll_try(#name.as_mut(), cx) {
                        ::core::task::Poll::Ready(::core::result::Result::Ok(())) => {}
                        ::core::task::Poll::Ready(::core::result::Result::Err(error)) => {
                            return ::core::task::Poll::Ready(::core::result::Result::Err(error));
                        }
                        ::core::task::Poll::Pending => pending = true,
                    }
                }
            })
            .collect();
        let outputs = quote_spanned! {Span::mixed_site()=>
            ::core::result::Result::Ok((#(#krate::__private::take_ok(#names.as_mut()),)*))
        };
        self.poll_all(&arms, &outputs)
    }

    /// Runs `arms` in turn at each poll until none of them sets `pending`, then gives `outputs`.
    fn poll_all(&self, arms: &[TokenStream], outputs: &TokenStream) -> TokenStream {
        let krate = &self.krate;
        if arms.is_empty() {
            return outputs.clone();
        }
        let names = branches::names(arms.len());
        let futures: Vec<&Expr> = self.futures.iter().collect();
        let maybe_done = quote_spanned!(Span::mixed_site()=> #krate::__private::maybe_done);
        let pinned = branches::pin_all(&names, &futures, &maybe_done);
        let start = branches::start(krate, self.is_biased, arms.len());
        let poll_in_turn = branches::in_turn(&quote_spanned!(Span::mixed_site()=> start), arms);
        quote_spanned! {Span::mixed_site()=> {
            let start = #start;
            #pinned
            let outputs = ::core::future::poll_fn(move |cx| {
                let mut pending = false;
                #poll_in_turn
                if pending {
                    ::core::task::Poll::Pending
                } else {
                    ::core::task::Poll::Ready(#outputs)
                }
            })
            .await;
            outputs
        }}
    }
}

impl Parse for Join {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let krate = branches::parse_crate(input)?;
        let is_biased = branches::parse_biased(input)?;
        let futures: Punctuated<Expr, Token![,]> = Punctuated::parse_terminated(input)?;
        if let Some(extra) = futures.iter().nth(BRANCHES_MAX) {
            return Err(Error::new(
                extra.span(),
                "more than 64 futures: nest a second macro",
            ));
        }
        Ok(Self {
            krate,
            is_biased,
            futures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: std::result::Result<(bool, usize), &str>) {
        let parsed = syn::parse_str::<Join>(&format!("{{ krate }} {input}"));
        let seen = parsed.map(|join| (join.is_biased, join.futures.len()));
        let seen = seen.map_err(|error| error.to_string());
        assert_eq!(seen, expected.map_err(str::to_owned), "join!({input})");
    }

    #[test]
    fn futures_are_read() {
        check("", Ok((false, 0)));
        check("biased;", Ok((true, 0)));
        check("a", Ok((false, 1)));
        check("a, b.c(), async { 1 },", Ok((false, 3)));
        check("biased; a, b", Ok((true, 2)));
        check("biased, b", Ok((false, 2)));
        check(&"f(),".repeat(64), Ok((false, 64)));
    }

    #[test]
    fn a_wrong_list_is_refused() {
        check("a b", Err("expected `,`"));
        check("a; b", Err("expected `,`"));
        check(
            &"f(),".repeat(65),
            Err("more than 64 futures: nest a second macro"),
        );
    }

    #[test]
    fn only_an_unbiased_join_of_several_draws() {
        for (input, draws) in [("a", false), ("a, b", true), ("biased; a, b", false)] {
            let join: Join = syn::parse_str(&format!("{{ krate }} {input}")).unwrap();
            for code in [join.expand(), join.expand_try()] {
                assert_eq!(code.to_string().contains("select_start"), draws, "{input}");
            }
        }
    }
}
