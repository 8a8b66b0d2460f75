use proc_macro2::{Group, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token};

use crate::errors::Errors;

/// One `key = value` of the attribute.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// What stands after a key.
pub(crate) enum Value {
    /// `= …`
    Of(Expr),
    /// `(…)`, as other attributes would have it.
    InParentheses(Group),
    /// Nothing.
    Missing,
}

/// Reads the attribute's arguments. One that cannot be read is a mistake of its own and hides no other.
pub(crate) fn parse(arguments: TokenStream, errors: &mut Errors) -> Vec<Entry> {
    let mut entries = Vec::new();
    for argument in split_at_commas(arguments) {
        match entry.parse2(argument) {
            Ok(entry) => entries.push(entry),
            Err(error) => errors.push(error),
        }
    }
    entries
}

/// The tokens between the commas; an empty piece (a trailing comma) is left out.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut pieces = Vec::new();
    let mut piece = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => pieces.push(std::mem::take(&mut piece)),
            token => piece.extend([token]),
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn entry(input: ParseStream) -> syn::Result<Entry> {
    if input.peek(syn::Lit) {
        let literal: syn::Lit = input.parse()?;
        rest(input)?;
        return Err(syn::Error::new_spanned(literal, "a value needs a key before it, as in `kind = \"jira\"`"));
    }
    let Ok(key) = input.call(Ident::parse_any) else {
        let tokens: TokenStream = rest(input)?;
        return Err(syn::Error::new_spanned(tokens, "expected `key = value`, as in `kind = \"jira\"`"));
    };
    if input.is_empty() {
        return Ok(Entry { key, value: Value::Missing });
    }
    if input.peek(syn::token::Paren) {
        let group: Group = input.parse()?;
        rest(input)?;
        return Ok(Entry { key, value: Value::InParentheses(group) });
    }
    if !input.peek(Token![=]) || input.peek(Token![==]) || input.peek(Token![=>]) {
        let tokens = rest(input)?;
        return Err(syn::Error::new_spanned(tokens, format!("expected `=` after `{key}`, as in `{key} = …`")));
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() {
        return Ok(Entry { key, value: Value::Missing });
    }
    let value = input.parse()?;
    if !input.is_empty() {
        let tokens = rest(input)?;
        return Err(syn::Error::new_spanned(tokens, format!("expected a comma after the value of `{key}`")));
    }
    Ok(Entry { key, value: Value::Of(value) })
}

/// Takes what is left, so that the parser does not complain about it a second time.
fn rest(input: ParseStream) -> syn::Result<TokenStream> {
    input.parse()
}
