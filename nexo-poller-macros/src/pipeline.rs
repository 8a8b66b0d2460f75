use proc_macro2::TokenStream;

use crate::errors::Errors;
use crate::valid::Valid;
use crate::{ast, attr, expand, fallback};

/// `attr → ast → valid → expand`. Where the author made errors, every one of them is reported and a fallback follows,
/// so that no second error arises from what is missing.
pub(crate) fn poller(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let entries = attr::parse(arguments, &mut errors);
    // What could not be read may have been the kind.
    let all_read = errors.is_empty();
    let item = ast::parse(item, &mut errors);
    let Valid { settings, function } = Valid::check(entries, all_read, &item, &mut errors);
    match (errors.into_tokens(), function) {
        (None, Some(function)) => expand::expand(&settings, &function, &item.tokens),
        (errors, function) => fallback::fallback(&settings, function.as_ref(), &item.tokens, errors.as_ref()),
    }
}
