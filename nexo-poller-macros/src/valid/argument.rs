use syn::{PathArguments, Type, TypeReference};

use crate::mistakes::Mistakes;

/// Slips that are told better before the compiler looks at the type. Whatever else is no extractor, the compiler says
/// in the words of `FromTick`.
pub(super) fn check(argument: &Type, mistakes: &mut Mistakes) {
    match argument {
        Type::Reference(reference) => check_reference(reference, mistakes),
        Type::ImplTrait(_) => {
            mistakes.on(argument, "a poller's arguments have types of their own: `impl Trait` would make it generic");
        }
        Type::Path(_) if is(argument, "PollContext") => {
            mistakes.on(argument, "the context is only lent: take `&PollContext`");
        }
        _ => {}
    }
}

fn check_reference(reference: &TypeReference, mistakes: &mut Mistakes) {
    let inner = &reference.elem;
    if is(inner, "PollContext") {
        if reference.mutability.is_some() {
            mistakes.on(reference, "the context cannot be changed: take `&PollContext`");
        } else if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
            mistakes.on(lifetime, "the context lives as long as its tick: take `&PollContext`");
        }
        return;
    }
    for extractor in ["Config", "Cursor", "State", "CancellationToken"] {
        if is(inner, extractor) {
            let generic = if extractor == "CancellationToken" { "" } else { "<…>" };
            mistakes.on(reference, format!("`{extractor}` is taken by value: `{extractor}{generic}` without the `&`"));
            return;
        }
    }
    if reference.mutability.is_some() {
        mistakes.on(
            reference,
            "nothing is lent to a poller for changing; what ticks share is a `State<T>`, what a tick leaves to the \
             next is its cursor",
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
