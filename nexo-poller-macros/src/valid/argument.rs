use syn::{PathArguments, Type, TypeReference};

use crate::errors::Errors;

/// Slips that are explained better before the compiler looks at the type. About any other type that is not an extractor
/// the compiler speaks in the words of `FromTick`.
pub(super) fn check(argument: &Type, errors: &mut Errors) {
    match argument {
        Type::Reference(reference) => check_reference(reference, errors),
        Type::ImplTrait(_) => {
            errors.on(
                argument,
                "a poller's argument needs a concrete type: `impl Trait` would make the function generic",
            );
        }
        Type::Path(_) if is(argument, "PollContext") => {
            errors.on(argument, "the context is borrowed: take `&PollContext`");
        }
        _ => {}
    }
}

fn check_reference(reference: &TypeReference, errors: &mut Errors) {
    let inner = &reference.elem;
    if is(inner, "PollContext") {
        if reference.mutability.is_some() {
            errors.on(reference, "the context cannot be changed: take `&PollContext`");
        } else if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
            errors.on(lifetime, "the context lives only as long as its tick: take `&PollContext`");
        }
        return;
    }
    for extractor in ["Config", "Cursor", "State", "CancellationToken"] {
        if is(inner, extractor) {
            let generic = if extractor == "CancellationToken" { "" } else { "<…>" };
            errors.on(
                reference,
                format!("`{extractor}` is taken by value: write `{extractor}{generic}` without the `&`"),
            );
            return;
        }
    }
    if reference.mutability.is_some() {
        errors.on(
            reference,
            "a poller takes no `&mut` argument: share data between ticks in a `State<T>`, and hand data to the next \
             tick in the cursor",
        );
    }
}

/// Whether a type goes by this name, wherever it comes from.
fn is(argument: &Type, name: &str) -> bool {
    let Type::Path(path) = argument else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == name && !matches!(last.arguments, PathArguments::Parenthesized(_)))
}
