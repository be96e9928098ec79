//! What `select!` and `join!` share: a few futures side by side, polled in turn.
//!
//! Owns the start of their grammar (`{crate path} biased;`) and the code that stores, pins and goes
//! round the branches. It must never know what a finished branch means.
//!
//! Generated locals have the macro's own hygiene (`Span::mixed_site`), so no name of the user's can
//! be captured by accident; generated *items* have not, hence their long names.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Expr, Result, Token, braced};

/// The most branches one macro may have: one bit each in a `u64`, and tokio's limit as well.
pub(crate) const BRANCHES_MAX: usize = 64;

/// Reads `{path}`: how the caller's crate names `stormglass`. Kept as tokens, since `$crate` is
/// not a path that `syn` could parse and print again.
pub(crate) fn parse_crate(input: ParseStream<'_>) -> Result<TokenStream> {
    let path;
    braced!(path in input);
    path.parse()
}

/// Reads `biased;` if it is there. `biased = fut` is a branch whose pattern has that name.
pub(crate) fn parse_biased(input: ParseStream<'_>) -> Result<bool> {
    let is_biased = input.peek2(Token![;])
        && input
            .fork()
            .parse::<Ident>()
            .is_ok_and(|ident| ident == "biased");
    if is_biased {
        input.parse::<Ident>()?;
        input.parse::<Token![;]>()?;
    }
    Ok(is_biased)
}

/// Names for the futures of `count` branches.
pub(crate) fn names(count: usize) -> Vec<Ident> {
    let span = Span::mixed_site();
    (0..count)
        .map(|index| format_ident!("future_{index}", span = span))
        .collect()
}

/// Evaluates `futures`, wraps each by the function `wrap` and pins it under its name.
///
/// One tuple expression holds the expressions as the user wrote them, so that a temporary in one
/// of them (`&mut ready(())`) lives as long as the future. The pins are made in reverse, since
/// locals are dropped in reverse: futures that are left over die in the order they were written.
pub(crate) fn pin_all(names: &[Ident], futures: &[&Expr], wrap: &TokenStream) -> TokenStream {
    let mixed_site = Span::mixed_site();
    // Placed at the user's expression, so that "is not a future" points there.
    let into_future = futures.iter().map(|future| {
        let span = future.span().resolved_at(mixed_site);
        quote_spanned!(span=> ::core::future::IntoFuture::into_future)
    });
    let reversed = names.iter().rev();
    quote_spanned! {mixed_site=>
        let (#(#names,)*) = (#(#futures,)*);
        let (#(#names,)*) = (#(#wrap(#into_future(#names)),)*);
        #(let mut #reversed = ::core::pin::pin!(#reversed);)*
    }
}

/// The number of the branch that is polled first, as an expression.
pub(crate) fn start(krate: &TokenStream, is_biased: bool, count: usize) -> TokenStream {
    // With one branch there is nothing to choose, so no draw is spent on it.
    if is_biased || count < 2 {
        return quote_spanned!(Span::mixed_site()=> 0u32);
    }
    let count = branch_number(count);
    quote_spanned!(Span::mixed_site()=> #krate::__private::select_start(#count))
}

/// Does `arms[i]` for each branch `i` once, beginning at the branch that `start` evaluates to and
/// going round.
pub(crate) fn in_turn(start: &TokenStream, arms: &[TokenStream]) -> TokenStream {
    let numbers = (0..arms.len()).map(branch_number);
    let count = branch_number(arms.len());
    quote_spanned! {Span::mixed_site()=>
        let mut branch = #start;
        for _ in 0..#count {
            // An output may be of a type without values; what follows its branch is then dead.
            #[allow(unreachable_code)]
            match branch {
                #(#numbers => { #arms })*
                _ => ::core::unreachable!("the first branch is drawn below the number of branches"),
            }
            branch += 1;
            if branch == #count {
                branch = 0;
            }
        }
    }
}

fn branch_number(index: usize) -> u32 {
    u32::try_from(index).expect("a macro has at most 64 branches")
}
