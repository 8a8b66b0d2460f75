use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ItemFn, ReturnType};

use crate::ast::Function;
use crate::names::struct_name;
use crate::problems::Problems;
use crate::valid::Declared;
use crate::{attr, valid};

/// The whole expansion. With mistakes the function, a struct and `main` are emitted all the same, so that each mistake
/// is one message.
pub(crate) fn poller(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let arguments = attr::parse(arguments, &mut problems);
    let declared = valid::declared(&arguments, &mut problems);
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => valid::function(function, &mut problems),
        Err(_) => return not_a_function(item, &declared, problems),
    };
    let author = &function.item;
    let name = struct_name(&author.sig.ident);
    match problems.into_tokens() {
        None => {
            let beside = Expansion { declared: &declared, function: &function, name: &name, usable: true }.tokens();
            quote!(#author #beside)
        }
        Some(errors) => {
            let beside = Expansion { declared: &declared, function: &function, name: &name, usable: false }.tokens();
            quote!(#errors #author #beside)
        }
    }
}

/// On a struct, say. What the author wrote stays, and `main` is there where the attribute would have made it.
fn not_a_function(item: &TokenStream, declared: &Declared, mut problems: Problems) -> TokenStream {
    let message =
        "`#[poller]` goes on an async function: async fn jira(ctx: &PollContext) -> Result<TickAck, PollerError>";
    problems.add(item, message);
    let errors = problems.into_tokens();
    let main = declared.main.then(|| {
        quote!(
            fn main() {}
        )
    });
    quote!(#errors #item #main)
}

struct Expansion<'e> {
    declared: &'e Declared,
    function: &'e Function,
    name: &'e Ident,
    /// Whether everything was right, so that the function can be called.
    usable: bool,
}

impl Expansion<'_> {
    fn tokens(&self) -> TokenStream {
        let Self { declared, function, name, .. } = self;
        let cfgs = &function.cfgs;
        let visibility = &function.item.vis;
        let description = self.description();
        let doc = if description.is_empty() { format!("The poller `{}`.", declared.kind) } else { description.clone() };
        let poller = self.poller(&description);
        let declaration = self.declaration(&description);
        let main = declared.main.then(|| self.main());
        quote! {
            #(#cfgs)*
            #[doc = #doc]
            #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy, ::core::default::Default)]
            #visibility struct #name;

            #(#cfgs)*
            #poller

            #(#cfgs)*
            #declaration

            #main
        }
    }

    fn description(&self) -> String {
        self.declared.description.clone().unwrap_or_else(|| self.function.doc.clone())
    }

    fn poller(&self, description: &str) -> TokenStream {
        let Self { declared, name, .. } = self;
        let (krate, kind) = (&declared.krate, &declared.kind);
        let validate = if self.usable { self.validate() } else { quote!(::core::result::Result::Ok(())) };
        let tick = if self.usable { self.tick() } else { unusable(krate) };
        quote! {
            impl #krate::__private::Poller for #name {
                fn kind(&self) -> &'static str {
                    #kind
                }

                fn description(&self) -> &'static str {
                    #description
                }

                fn validate(
                    &self,
                    config: &#krate::__private::Value,
                ) -> ::core::result::Result<(), #krate::__private::PollerError> {
                    #validate
                }

                fn tick<'life0, 'life1, 'async_trait>(
                    &'life0 self,
                    ctx: &'life1 #krate::__private::PollContext,
                ) -> #krate::__private::TickFuture<'async_trait>
                where
                    'life0: 'async_trait,
                    'life1: 'async_trait,
                    Self: 'async_trait,
                {
                    ::std::boxed::Box::pin(async move { #tick })
                }
            }
        }
    }

    /// One check an argument, spanned on the argument's type.
    fn validate(&self) -> TokenStream {
        let krate = &self.declared.krate;
        let checks = self
            .function
            .arguments
            .iter()
            .map(|ty| quote_spanned!(ty.span()=> <#ty as #krate::__private::FromTick<'_>>::validate(config)?;));
        quote! {
            let _ = config;
            #(#checks)*
            ::core::result::Result::Ok(())
        }
    }

    fn tick(&self) -> TokenStream {
        let krate = &self.declared.krate;
        let author = &self.function.item.sig.ident;
        let names: Vec<Ident> = (0..self.function.arguments.len()).map(|n| format_ident!("argument_{n}")).collect();
        let extract = self.function.arguments.iter().zip(&names).map(|(ty, name)| {
            quote_spanned! {ty.span()=>
                let #name = <#ty as #krate::__private::FromTick<'_>>::from_tick(ctx).await?;
            }
        });
        let output = match &self.function.item.sig.output {
            ReturnType::Type(_, ty) => ty.span(),
            ReturnType::Default => author.span(),
        };
        // Through a trait of its own, so that a wrong return type is told in the words of a poller.
        let outcome = quote_spanned!(output=> #krate::__private::TickOutcome::into_outcome(outcome));
        quote! {
            let _ = ctx;
            #(#extract)*
            let outcome = #author(#(#names),*).await;
            #outcome
        }
    }

    fn declaration(&self, description: &str) -> TokenStream {
        let Self { declared, name, function, .. } = self;
        let Declared { kind, publish, subscribe, krate, .. } = declared;
        let lifecycle = match declared.ephemeral {
            None => quote!(::core::option::Option::None),
            Some(true) => quote!(::core::option::Option::Some(#krate::__private::Lifecycle::Ephemeral)),
            Some(false) => quote!(::core::option::Option::Some(#krate::__private::Lifecycle::LongLived)),
        };
        let ticks = option(declared.max_concurrent_ticks.as_ref());
        let timeout = option(declared.tick_timeout_secs.as_ref());
        let plugin_id = option(declared.plugin_id.as_ref());
        let display_name = option(declared.name.as_ref());
        let prefix = option(declared.topic_prefix.as_ref());
        let required = option(declared.min_nexo_version.as_ref());
        let arguments = if self.usable { function.arguments.as_slice() } else { &[] };
        let schemas = arguments
            .iter()
            .map(|ty| quote_spanned!(ty.span()=> <#ty as #krate::__private::FromTick<'_>>::config_schema()));
        quote! {
            impl #krate::__private::DeclaredPoller for #name {
                const DECLARATION: #krate::__private::Declaration = #krate::__private::Declaration {
                    kind: #kind,
                    description: #description,
                    publish: &[#(#publish),*],
                    subscribe: &[#(#subscribe),*],
                    lifecycle: #lifecycle,
                    max_concurrent_ticks: #ticks,
                    tick_timeout_secs: #timeout,
                    plugin_id: #plugin_id,
                    name: #display_name,
                    topic_prefix: #prefix,
                    min_nexo_version: #required,
                    package: #krate::__private::Package {
                        name: ::core::env!("CARGO_PKG_NAME"),
                        version: ::core::env!("CARGO_PKG_VERSION"),
                        description: ::core::env!("CARGO_PKG_DESCRIPTION"),
                        bin: ::core::option_env!("CARGO_BIN_NAME"),
                    },
                };

                fn config_schema() -> ::core::option::Option<#krate::__private::Schema> {
                    #krate::__private::all_of([#(#schemas),*])
                }
            }
        }
    }

    fn main(&self) -> TokenStream {
        let (krate, name) = (&self.declared.krate, self.name);
        let cfgs = &self.function.cfgs;
        quote! {
            #(#cfgs)*
            fn main() -> ::std::process::ExitCode {
                #krate::__private::main(#name)
            }
        }
    }
}

/// Stands in for the tick of a function that cannot be called; the compiler has its errors already.
fn unusable(krate: &TokenStream) -> TokenStream {
    quote! {
        let _ = ctx;
        ::core::result::Result::Err(#krate::__private::PollerError::permanent("this poller does not compile"))
    }
}

fn option<T: quote::ToTokens>(value: Option<&T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
