use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, ReturnType, Safety, Signature, Type, Visibility};

use super::argument;
use super::description::first_paragraph;
use super::taken::hidden_by;
use crate::ast::Head;
use crate::errors::Errors;
use crate::names::type_name;

/// The author's function, as far as the generated code needs it.
pub(crate) struct Function {
    /// What it is called.
    pub(crate) name: Ident,
    /// What the struct is called; `None` where no name can be made.
    pub(crate) poller: Option<Ident>,
    pub(crate) visibility: Visibility,
    /// `#[cfg(…)]` that stand below `#[poller]`: they hold for everything that is generated.
    pub(crate) conditions: Vec<Attribute>,
    /// The first paragraph of its doc comment.
    pub(crate) description: String,
    pub(crate) arguments: Vec<Type>,
    pub(crate) output: Type,
}

impl Function {
    pub(super) fn check(head: &Head, main: bool, errors: &mut Errors) -> Self {
        let signature = &head.signature;
        check_qualifiers(signature, errors);
        let conditions = head.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        Self {
            name: signature.ident.clone(),
            // In an `impl` no struct may stand beside it.
            poller: poller_name(&signature.ident, main, errors).filter(|_| signature.receiver().is_none()),
            visibility: head.visibility.clone(),
            conditions,
            description: first_paragraph(&head.attributes),
            arguments: arguments(signature, errors),
            output: output(signature, errors),
        }
    }
}

fn check_qualifiers(signature: &Signature, errors: &mut Errors) {
    if signature.asyncness.is_none() {
        let name = &signature.ident;
        errors.on(signature.fn_token, format!("a poller is an async function: write `async fn {name}`"));
    }
    if let Some(word) = &signature.constness {
        errors.on(word, "a poller cannot be `const`");
    }
    if let Safety::Unsafe(word) = &signature.safety {
        errors.on(word, "a poller cannot be `unsafe`: the runner calls it without checking any safety contract");
    }
    if let Some(abi) = &signature.abi {
        errors.on(abi, "a poller cannot be `extern`");
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        errors.on(
            generics,
            "a poller cannot be generic: the runner calls it and cannot choose its type or lifetime parameters; \
             take the context as `&PollContext`, without a lifetime",
        );
    } else if let Some(clause) = &generics.where_clause {
        errors.on(clause, "a poller cannot be generic, so it cannot have a `where` clause");
    }
    if let Some(dots) = &signature.variadic {
        errors.on(dots, "a poller takes a fixed number of arguments");
    }
}

fn poller_name(function: &Ident, main: bool, errors: &mut Errors) -> Option<Ident> {
    let plain = function.unraw();
    if plain == "main" && main {
        errors.on(function, "`#[poller]` generates a `main` that runs the poller: give the function another name");
        return None;
    }
    let name = type_name(function);
    match &name {
        None => errors.on(
            function,
            format!(
                "`#[poller]` generates a struct named after the function, but `{plain}` gives no name for a type: \
                 give the function another name"
            ),
        ),
        Some(name) if name == function => errors.on(
            function,
            format!("`#[poller]` generates a struct called `{name}`: give the function a name in snake_case"),
        ),
        Some(poller) => match hidden_by(function, poller) {
            Some(refusal) => errors.on(function, refusal),
            None => return name,
        },
    }
    None
}

fn arguments(signature: &Signature, errors: &mut Errors) -> Vec<Type> {
    let mut arguments = Vec::new();
    for argument in &signature.inputs {
        match argument {
            FnArg::Typed(typed) => {
                argument::check(&typed.ty, errors);
                arguments.push((*typed.ty).clone());
            }
            FnArg::Receiver(receiver) => errors.on(
                receiver,
                "a poller is a free function, without `self`: keep what must outlive a tick in a `State<T>` argument",
            ),
        }
    }
    arguments
}

fn output(signature: &Signature, errors: &mut Errors) -> Type {
    let expected = "a poller returns `Result<TickAck, PollerError>`";
    match &signature.output {
        ReturnType::Type(_, output) => {
            if let Type::ImplTrait(_) = **output {
                errors.on(output, expected);
            }
            (**output).clone()
        }
        ReturnType::Default => {
            let end = signature.paren_token.span.close();
            errors.push(syn::Error::new(
                end,
                format!("{expected}: `async fn {}(…) -> {}`", signature.ident, "Result<TickAck, PollerError>"),
            ));
            syn::parse_quote_spanned!(signature.span()=> ())
        }
    }
}
