use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{declaration, structure};
use crate::valid::{Function, Settings};

/// What is generated where there were errors: the author's item, a poller that does nothing, and a `main`, so that
/// whatever uses them causes no errors about missing items.
pub(crate) fn fallback(
    settings: &Settings,
    function: Option<&Function>,
    item: &TokenStream,
    errors: Option<&TokenStream>,
) -> TokenStream {
    let main = settings.main.then(|| {
        quote!(
            fn main() {}
        )
    });
    let Some(function) = function else { return quote!(#errors #item #main) };
    // Somebody who calls the poller `main` has a main.
    let main = main.filter(|_| function.name != "main");
    let poller = function.poller.as_ref().map(|poller| {
        let library = &settings.library;
        let private = quote!(#library::__private);
        let structure = structure(settings, function, poller);
        // No argument of a function that was refused is looked at.
        let declaration = declaration(settings, function, &[], poller, &private);
        let conditions = &function.conditions;
        quote! {
            #structure
            #(#conditions)*
            impl #private::Poller for #poller {
                fn kind(&self) -> &'static str {
                    ""
                }

                fn tick<'life0, 'life1, 'async_trait>(
                    &'life0 self,
                    _: &'life1 #private::PollContext,
                ) -> #private::TickFuture<'async_trait>
                where
                    'life0: 'async_trait,
                    'life1: 'async_trait,
                    Self: 'async_trait,
                {
                    ::std::boxed::Box::pin(::core::future::pending())
                }
            }
            #declaration
        }
    });
    quote!(#errors #item #poller #main)
}
