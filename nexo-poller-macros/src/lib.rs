//! The `#[poller]` attribute of nexo-poller.

use proc_macro::TokenStream;

/// Makes a poller of one async function.
#[proc_macro_attribute]
pub fn poller(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}
