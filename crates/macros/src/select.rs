//! `select!`: wait for the first of several futures, in one task.
//!
//! Owns its grammar and expansion. It must never know how the first branch is chosen, only that
//! `__private::select_start` does it each time that the select is polled, unless it is `biased;`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprBlock, Pat, Result, Token, token};

use crate::branches::{self, BRANCHES_MAX};

/// `{crate path} [biased;] pattern = future [, if condition] => handler, .. [else => handler]`
pub(crate) struct Select {
    krate: TokenStream,
    is_biased: bool,
    branches: Vec<Branch>,
    otherwise: Option<Expr>,
}

struct Branch {
    pattern: Pat,
    future: Expr,
    condition: Option<Expr>,
    handler: Expr,
}

impl Select {
    /// Code that polls the futures, drops them, and runs the handler of the one that won.
    ///
    /// The winner's output leaves the polling block inside a local enum with a variant for each
    /// branch. The handlers stand outside that block: they may await, return, break and borrow
    /// what the futures had borrowed.
    pub(crate) fn expand(&self) -> TokenStream {
        if self.branches.is_empty() {
            let otherwise = self.otherwise();
            return quote_spanned!(Span::mixed_site()=> { #otherwise });
        }
        let variants = self.variants();
        let conditions = self.conditions();
        let poll = self.poll();
        let patterns = self.branches.iter().map(|branch| &branch.pattern);
        let handlers = self.branches.iter().map(|branch| &branch.handler);
        let otherwise = self.otherwise();
        quote_spanned! {Span::mixed_site()=> {
            enum __StormglassSelected<#(#variants),*> {
                #(#variants(#variants),)*
                Disabled,
            }
            let mut disabled = 0u64;
            #conditions
            let mut selected = { #poll };
            match selected {
                #(__StormglassSelected::#variants(#patterns) => #handlers,)*
                __StormglassSelected::Disabled => #otherwise,
                _ => ::core::unreachable!("an output is matched before its branch is selected"),
            }
        }}
    }

    /// Sets the bit of each branch whose condition is false.
    fn conditions(&self) -> TokenStream {
        let mut code = TokenStream::new();
        for (index, branch) in self.branches.iter().enumerate() {
            let Some(condition) = &branch.condition else {
                continue;
            };
            let bit = branch_bit(index);
            code.extend(quote_spanned! {Span::mixed_site()=>
                if !(#condition) {
                    disabled |= #bit;
                }
            });
        }
        code
    }

    /// The futures, and the poll function that goes round them until one gives an output that
    /// its pattern accepts.
    fn poll(&self) -> TokenStream {
        let names = branches::names(self.branches.len());
        let futures: Vec<&Expr> = self.branches.iter().map(|branch| &branch.future).collect();
        let pinned = branches::pin_all(&names, &futures, &TokenStream::new());
        let arms: Vec<TokenStream> = names
            .iter()
            .enumerate()
            .map(|(index, name)| self.arm(index, name))
            .collect();
        let start = branches::start(&self.krate, self.is_biased, self.branches.len());
        let poll_in_turn = branches::in_turn(&start, &arms);
        quote_spanned! {Span::mixed_site()=>
            #pinned
            let selected = ::core::future::poll_fn(move |cx| {
                let mut pending = false;
                #poll_in_turn
                if pending {
                    ::core::task::Poll::Pending
                } else {
                    ::core::task::Poll::Ready(__StormglassSelected::Disabled)
                }
            })
            .await;
            selected
        }
    }

    /// Polls one branch. Ready, it is never polled again, whether or not its pattern matches.
    fn arm(&self, index: usize, name: &Ident) -> TokenStream {
        let bit = branch_bit(index);
        let variant = &self.variants()[index];
        let shape = without_binding_modes(&self.branches[index].pattern);
        quote_spanned! {Span::mixed_site()=>
            if disabled & #bit == 0 {
                match ::core::future::Future::poll(#name.as_mut(), cx) {
                    ::core::task::Poll::Ready(output) => {
                        disabled |= #bit;
                        #[allow(unused_variables, irrefutable_let_patterns)]
                        if let #shape = &output {
                            return ::core::task::Poll::Ready(
                                __StormglassSelected::#variant(output),
                            );
                        }
                    }
                    ::core::task::Poll::Pending => pending = true,
                }
            }
        }
    }

    fn otherwise(&self) -> TokenStream {
        match &self.otherwise {
            Some(handler) => quote_spanned!(Span::mixed_site()=> #handler),
            None => quote_spanned! {Span::mixed_site()=>
                ::core::panic!("all branches are disabled and there is no else branch")
            },
        }
    }

    fn variants(&self) -> Vec<Ident> {
        let span = Span::mixed_site();
        (0..self.branches.len())
            .map(|index| format_ident!("Branch{index}", span = span))
            .collect()
    }
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let krate = branches::parse_crate(input)?;
        if input.is_empty() {
            return Err(input.error("select! needs at least one branch"));
        }
        let is_biased = branches::parse_biased(input)?;
        let mut select = Self {
            krate,
            is_biased,
            branches: Vec::new(),
            otherwise: None,
        };
        while !input.is_empty() && !input.peek(Token![else]) {
            if select.branches.len() == BRANCHES_MAX {
                return Err(input.error("more than 64 branches: nest a second select!"));
            }
            select.branches.push(input.parse()?);
        }
        if input.peek(Token![else]) {
            input.parse::<Token![else]>()?;
            input.parse::<Token![=>]>()?;
            select.otherwise = Some(input.parse()?);
            input.parse::<Option<Token![,]>>()?;
            if !input.is_empty() {
                return Err(input.error("`else` must be the last branch"));
            }
        }
        if select.branches.is_empty() && select.otherwise.is_none() {
            return Err(input.error("select! needs at least one branch"));
        }
        Ok(select)
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if input.peek(Token![=>]) {
            return Err(input.error("expected `pattern = future => handler`"));
        }
        input.parse::<Token![=]>()?;
        let future = input.parse()?;
        let condition = if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        input.parse::<Token![=>]>()?;

        // As in a `match`, a handler in braces ends at its brace and needs no comma after it.
        let is_block = input.peek(token::Brace);
        let handler = if is_block {
            Expr::Block(ExprBlock {
                attrs: Vec::new(),
                label: None,
                block: input.parse()?,
            })
        } else {
            input.parse()?
        };
        let comma: Option<Token![,]> = input.parse()?;
        if comma.is_none() && !is_block && !input.is_empty() {
            return Err(input.error("expected `,` after a handler without braces"));
        }
        Ok(Self {
            pattern,
            future,
            condition,
            handler,
        })
    }
}

/// The pattern as it is tested against a *reference* to the output, which is not yet given away.
///
/// There `ref`, `ref mut` and `mut` bindings and `&` patterns are errors; without them the pattern
/// accepts the same values. Idents stay, because one may name a constant.
fn without_binding_modes(pattern: &Pat) -> Pat {
    let mut pattern = pattern.clone();
    strip_binding_modes(&mut pattern);
    pattern
}

fn strip_binding_modes(pattern: &mut Pat) {
    match pattern {
        Pat::Ident(ident) => {
            ident.by_ref = None;
            ident.mutability = None;
            if let Some((_, inner)) = &mut ident.subpat {
                strip_binding_modes(inner);
            }
        }
        Pat::Reference(reference) => {
            let mut inner = (*reference.pat).clone();
            strip_binding_modes(&mut inner);
            *pattern = inner;
        }
        Pat::Or(or) => or.cases.iter_mut().for_each(strip_binding_modes),
        Pat::Paren(paren) => strip_binding_modes(&mut paren.pat),
        Pat::Slice(slice) => slice.elems.iter_mut().for_each(strip_binding_modes),
        Pat::Struct(fields) => {
            fields
                .fields
                .iter_mut()
                .for_each(|field| strip_binding_modes(&mut field.pat));
        }
        Pat::Tuple(tuple) => tuple.elems.iter_mut().for_each(strip_binding_modes),
        Pat::TupleStruct(tuple) => tuple.elems.iter_mut().for_each(strip_binding_modes),
        // The others (literals, paths, ranges, `_`, `..`, macros) bind nothing.
        _ => {}
    }
}

fn branch_bit(index: usize) -> u64 {
    assert!(index < BRANCHES_MAX, "parsing refuses more branches");
    1 << index
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;

    use super::*;

    fn parse(input: &str) -> Result<Select> {
        syn::parse_str(&format!("{{ krate }} {input}"))
    }

    /// One line for what was read: `b` if biased, a letter for each branch (`i` if it has a
    /// condition), `e` if there is an else.
    fn summary(select: &Select) -> String {
        let mut line = String::new();
        line.push_str(if select.is_biased { "b:" } else { "" });
        for branch in &select.branches {
            line.push(if branch.condition.is_some() { 'i' } else { 'p' });
        }
        line.push_str(if select.otherwise.is_some() { "e" } else { "" });
        line
    }

    /// Compares the summary, or looks for a part of the error: some of it is `syn`'s wording.
    fn check(input: &str, expected: std::result::Result<&str, &str>) {
        match (parse(input), expected) {
            (Ok(select), Ok(line)) => assert_eq!(summary(&select), line, "{input}"),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{input}: {error}");
            }
            (Ok(_), Err(part)) => panic!("{input} is read, not refused with: {part}"),
            (Err(error), Ok(_)) => panic!("{input} is refused: {error}"),
        }
    }

    #[test]
    fn the_grammar_is_read() {
        check("x = a => x", Ok("p"));
        check("x = a => x,", Ok("p"));
        check("x = a => { x }", Ok("p"));
        check("x = a => { x } y = b => { y }", Ok("pp"));
        check("x = a => { x }, y = b => y,", Ok("pp"));
        check("x = a => (x), y = b => { y }", Ok("pp"));
        check("x = a.b().c(), if d && !e => x, _ = f => return", Ok("ip"));
        check("Some(x) = a, if b == c => x, else => 0", Ok("ie"));
        check("biased; x = a => x", Ok("b:p"));
        check("biased = a => biased", Ok("p"));
        check("Some(1) | None = a => 1, else => { 2 }", Ok("pe"));
        check("| Ok(x) | Err(x) = a => x", Ok("p"));
        check(
            "x = async { a.await? } => match x { 1 => 2, _ => 3 },",
            Ok("p"),
        );
        check("x = &mut a => y = x", Ok("p"));
        check("else => 1", Ok("e"));
        check("biased; else => 1,", Ok("b:e"));
        let many = "_ = f() => {} ".repeat(64);
        check(&many, Ok(&"p".repeat(64)));
    }

    #[test]
    fn a_wrong_branch_is_refused_with_the_fix() {
        check("", Err("select! needs at least one branch"));
        check("biased;", Err("select! needs at least one branch"));
        check(
            "x = a => x y = b => y",
            Err("expected `,` after a handler without braces"),
        );
        check("x = a", Err("expected `=>`"));
        check("x = a, b => x", Err("expected `if`"));
        check("x => a", Err("expected `pattern = future => handler`"));
        check(
            "else => 1, x = a => x",
            Err("`else` must be the last branch"),
        );
        check(
            &"_ = f() => {} ".repeat(65),
            Err("more than 64 branches: nest a second select!"),
        );
    }

    #[test]
    fn a_tested_pattern_has_no_binding_modes() {
        let cases = [
            ("mut x", "x"),
            ("ref x @ Some(_)", "x @ Some (_)"),
            ("(mut a, ref b, ref mut c)", "(a , b , c)"),
            ("&x", "x"),
            ("Some(&(mut x, _))", "Some ((x , _))"),
            ("[ref a, .., mut b]", "[a , .. , b]"),
            ("P { x: mut y, ref z, .. }", "P { x : y , z , .. }"),
            ("Ok(mut x) | Err(mut x)", "Ok (x) | Err (x)"),
            ("(mut x)", "(x)"),
            ("a::B", "a :: B"),
            ("1..=5", "1 ..= 5"),
        ];
        for (input, expected) in cases {
            let select = parse(&format!("{input} = a => ()")).unwrap();
            let shape = without_binding_modes(&select.branches[0].pattern);
            assert_eq!(shape.to_token_stream().to_string(), expected, "{input}");
        }
    }

    #[test]
    fn only_an_unbiased_select_of_several_draws() {
        for (input, draws) in [
            ("x = a => x", false),
            ("x = a => x, y = b => y", true),
            ("biased; x = a => x, y = b => y", false),
        ] {
            let code = parse(input).unwrap().expand().to_string();
            assert_eq!(
                code.contains("krate :: __private :: select_start"),
                draws,
                "{input}"
            );
        }
    }

    #[test]
    fn a_condition_is_negated_as_a_whole() {
        let code = parse("x = a, if b && c => x").unwrap().expand().to_string();
        assert!(code.replace(' ', "").contains("if!(b&&c)"), "{code}");
    }
}
