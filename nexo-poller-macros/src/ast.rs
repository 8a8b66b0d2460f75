use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Signature, Visibility};

use crate::errors::Errors;

/// What the attribute stands on.
pub(crate) struct Item {
    /// As written: it is emitted untouched, whatever happens.
    pub(crate) tokens: TokenStream,
    /// What the macro reads of it, where it is a function.
    pub(crate) function: Option<Head>,
}

/// A function without its body, which is nobody's business but the author's.
pub(crate) struct Head {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
}

/// Reads the item.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Item {
    let function = match head.parse2(tokens.clone()) {
        Ok(head) => Some(head),
        Err(error) => {
            errors.push(not_a_function(&tokens).unwrap_or(error));
            None
        }
    };
    Item { tokens, function }
}

fn head(input: ParseStream) -> syn::Result<Head> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    let signature = input.parse()?;
    // The body, read by nobody.
    input.parse::<TokenStream>()?;
    Ok(Head { attributes, visibility, signature })
}

/// What it is instead, said on its keyword.
fn not_a_function(tokens: &TokenStream) -> Option<syn::Error> {
    let words = ["struct", "enum", "union", "impl", "mod", "trait", "const", "static", "type", "use", "macro_rules"];
    let is_function = tokens.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
    let found = tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(word) if words.iter().any(|known| word == known) => Some(word),
        _ => None,
    });
    let found = found.filter(|_| !is_function)?;
    let article = if matches!(found.to_string().as_str(), "enum" | "impl") { "an" } else { "a" };
    Some(syn::Error::new_spanned(
        &found,
        format!("`#[poller]` goes on an async function, but this is {article} `{found}`"),
    ))
}
