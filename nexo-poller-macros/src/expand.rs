use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::valid::{Function, Lifecycle, Settings};

/// The author's function and, beside it, everything that is made of it.
pub(crate) fn expand(settings: &Settings, function: &Function, item: &TokenStream) -> TokenStream {
    let Some(poller) = &function.poller else { return item.clone() };
    let library = &settings.library;
    let private = quote!(#library::__private);
    let structure = structure(settings, function, poller);
    let implementation = implementation(settings, function, poller, &private);
    let declaration = declaration(settings, function, &function.arguments, poller, &private);
    let conditions = &function.conditions;
    let main = settings.main.then(|| {
        quote! {
            #(#conditions)*
            fn main() -> ::std::process::ExitCode {
                #private::main(#poller)
            }
        }
    });
    quote! {
        #item
        #structure
        #implementation
        #declaration
        #main
    }
}

/// `struct Jira;`
pub(crate) fn structure(settings: &Settings, function: &Function, poller: &Ident) -> TokenStream {
    let Function { visibility, conditions, .. } = function;
    let kind = kind(settings);
    let doc = format!("The poller of kind `{kind}`, made from the function [`{}`].", function.name);
    quote! {
        #(#conditions)*
        #[doc = #doc]
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::default::Default)]
        #visibility struct #poller;
    }
}

/// `impl Poller for Jira`. What `#[async_trait]` would make of `async fn tick` is written out: one macro fewer between
/// the author's mistake and its message.
fn implementation(settings: &Settings, function: &Function, poller: &Ident, private: &TokenStream) -> TokenStream {
    let Function { name, conditions, arguments, output, .. } = function;
    let kind = kind(settings);
    let description = description(settings, function);
    let config = Ident::new("config", Span::call_site());
    let ctx = Ident::new("ctx", Span::call_site());
    let locals: Vec<_> =
        (0..arguments.len()).map(|index| format_ident!("argument_{index}", span = Span::mixed_site())).collect();
    let validations = arguments.iter().map(|ty| extractor(ty, private, &quote!(validate(#config)?;)));
    let extractions = arguments.iter().zip(&locals).map(|(ty, local)| {
        let value = extractor(ty, private, &quote!(from_tick_boxed(#ctx).await?));
        quote!(let #local = #value;)
    });
    let call = quote_spanned!(name.span()=> #name(#(#locals),*).await);
    let outcome = quote_spanned!(output.span()=> <#output as #private::TickOutcome>::into_outcome(#call));
    let body = quote_spanned!(name.span()=> ::std::boxed::Box::pin(async move {
        #(#extractions)*
        #outcome
    }));
    quote! {
        #(#conditions)*
        impl #private::Poller for #poller {
            fn kind(&self) -> &'static str {
                #kind
            }

            fn description(&self) -> &'static str {
                #description
            }

            fn validate(
                &self,
                #config: &#private::Value,
            ) -> ::core::result::Result<(), #private::PollerError> {
                let _ = #config;
                #(#validations)*
                ::core::result::Result::Ok(())
            }

            fn tick<'life0, 'life1, 'async_trait>(
                &'life0 self,
                #ctx: &'life1 #private::PollContext,
            ) -> #private::TickFuture<'async_trait>
            where
                'life0: 'async_trait,
                'life1: 'async_trait,
                Self: 'async_trait,
            {
                #body
            }
        }
    }
}

/// `impl DeclaredPoller for Jira`: what the manifest is made of.
pub(crate) fn declaration(
    settings: &Settings,
    function: &Function,
    arguments: &[Type],
    poller: &Ident,
    private: &TokenStream,
) -> TokenStream {
    let kind = kind(settings);
    let said = said(settings, &description(settings, function), private);
    let conditions = &function.conditions;
    let schemas = arguments.iter().map(|ty| extractor(ty, private, &quote!(config_schema())));
    quote! {
        #(#conditions)*
        impl #private::DeclaredPoller for #poller {
            const DECLARATION: #private::Declaration = #private::Declaration::new(#kind, #private::package!())#said;

            fn config_schema() -> ::core::option::Option<#private::Schema> {
                #private::all_of([#(#schemas),*])
            }
        }
    }
}

/// What the attribute says, call by call; what it does not say has the default of the protocol.
fn said(settings: &Settings, description: &str, private: &TokenStream) -> TokenStream {
    let Settings { publish, subscribe, .. } = settings;
    let description = (!description.is_empty()).then(|| quote!(.description(#description)));
    let publish = (!publish.is_empty()).then(|| quote!(.publish(&[#(#publish),*])));
    let subscribe = (!subscribe.is_empty()).then(|| quote!(.subscribe(&[#(#subscribe),*])));
    let lifecycle = settings.lifecycle.map(|lifecycle| match lifecycle {
        Lifecycle::LongLived => quote!(.lifecycle(#private::Lifecycle::LongLived)),
        Lifecycle::Ephemeral => quote!(.lifecycle(#private::Lifecycle::Ephemeral)),
    });
    let max_concurrent_ticks = settings.max_concurrent_ticks.map(|number| quote!(.max_concurrent_ticks(#number)));
    let tick_timeout_secs = settings.tick_timeout_secs.map(|number| quote!(.tick_timeout_secs(#number)));
    let plugin_id = settings.plugin_id.as_ref().map(|text| quote!(.plugin_id(#text)));
    let name = settings.name.as_ref().map(|text| quote!(.name(#text)));
    let topic_prefix = settings.topic_prefix.as_ref().map(|text| quote!(.topic_prefix(#text)));
    let min_nexo_version = settings.min_nexo_version.as_ref().map(|text| quote!(.min_nexo_version(#text)));
    quote! {
        #description #publish #subscribe #lifecycle #max_concurrent_ticks #tick_timeout_secs
        #plugin_id #name #topic_prefix #min_nexo_version
    }
}

/// `<Config<T> as FromTick<'_>>::…`, every token of it spanned on the type: the compiler points at a type that is not an
/// extractor, and drops the repetitions of an error that is the same word for word, however often the type is used.
fn extractor(ty: &Type, private: &TokenStream, call: &TokenStream) -> TokenStream {
    let mut spans = ty.to_token_stream().into_iter().map(|token| token.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    let end = spans.last().unwrap_or(start);
    let open = quote_spanned!(start=> <);
    let path = respan(quote!(as #private::FromTick<'_>>::#call), end);
    quote!(#open #ty #path)
}

fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    let respanned = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut group = Group::new(group.delimiter(), respan(group.stream(), span));
            group.set_span(span);
            TokenTree::Group(group)
        }
        mut token => {
            token.set_span(span);
            token
        }
    });
    respanned.collect()
}

fn kind(settings: &Settings) -> String {
    settings.kind.as_ref().map(syn::LitStr::value).unwrap_or_default()
}

fn description(settings: &Settings, function: &Function) -> String {
    settings.description.as_ref().map_or_else(|| function.description.clone(), syn::LitStr::value)
}
