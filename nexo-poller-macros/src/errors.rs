use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// What the author got wrong: everything at once, each on its own token.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// A mistake in these tokens.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// A mistake of the attribute as a whole: something is missing.
    pub(crate) fn on_the_attribute(&mut self, message: impl Display) {
        self.push(syn::Error::new(Span::call_site(), message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(first) => first.combine(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The `compile_error!`s, if there was any mistake.
    pub(crate) fn into_tokens(self) -> Option<TokenStream> {
        self.0.map(|error| error.to_compile_error())
    }
}
