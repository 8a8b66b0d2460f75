use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Expr, ExprLit, FnArg, ItemFn, Lit, Path, ReturnType, Safety, Type};

use crate::ast::Function;
use crate::attr::Argument;
use crate::names::{MAX_PLUGIN_ID, is_kind, is_plugin_id, kind_like, pattern_fault, similar};
use crate::problems::Problems;

/// The attribute's arguments after every rule; what broke one has its default.
pub(crate) struct Declared {
    pub(crate) kind: String,
    pub(crate) description: Option<String>,
    pub(crate) publish: Vec<String>,
    pub(crate) subscribe: Vec<String>,
    pub(crate) ephemeral: Option<bool>,
    pub(crate) max_concurrent_ticks: Option<u32>,
    pub(crate) tick_timeout_secs: Option<u32>,
    pub(crate) plugin_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) topic_prefix: Option<String>,
    pub(crate) min_nexo_version: Option<String>,
    pub(crate) main: bool,
    pub(crate) krate: TokenStream,
}

const LIFECYCLES: [&str; 2] = ["long_lived", "ephemeral"];

/// Checks the attribute's arguments.
pub(crate) fn declared(arguments: &[Argument], problems: &mut Problems) -> Declared {
    let mut declared = Declared {
        kind: String::new(),
        description: None,
        publish: Vec::new(),
        subscribe: Vec::new(),
        ephemeral: None,
        max_concurrent_ticks: None,
        tick_timeout_secs: None,
        plugin_id: None,
        name: None,
        topic_prefix: None,
        min_nexo_version: None,
        main: true,
        krate: quote!(::nexo_poller),
    };
    for argument in arguments {
        match argument.key.to_string().as_str() {
            "kind" => declared.kind = kind(argument, problems).unwrap_or_default(),
            "description" => declared.description = non_empty(argument, problems),
            "publish" => declared.publish = patterns(argument, problems),
            "subscribe" => declared.subscribe = patterns(argument, problems),
            "lifecycle" => declared.ephemeral = lifecycle(argument, problems),
            "max_concurrent_ticks" => declared.max_concurrent_ticks = number(argument, 64, "", problems),
            "tick_timeout_secs" => declared.tick_timeout_secs = number(argument, 3600, " seconds", problems),
            "plugin_id" => declared.plugin_id = plugin_id(argument, problems),
            "name" => declared.name = non_empty(argument, problems),
            "topic_prefix" => declared.topic_prefix = topic_prefix(argument, problems),
            "min_nexo_version" => declared.min_nexo_version = version_requirement(argument, problems),
            "main" => declared.main = boolean(argument, problems).unwrap_or(true),
            _ => {
                if let Some(path) = crate_path(argument, problems) {
                    declared.krate = quote!(#path);
                }
            }
        }
    }
    let given = |key: &str| arguments.iter().find(|argument| argument.key == key);
    if let Some(kind) = given("kind")
        && declared.kind.len() > MAX_PLUGIN_ID
        && given("plugin_id").is_none()
    {
        problems.add(
            kind,
            format!("the kind is the plugin's id as well, which has at most {MAX_PLUGIN_ID} characters: add a shorter `plugin_id`"),
        );
    }
    if given("kind").is_none() {
        problems.push(syn::Error::new(Span::call_site(), "missing `kind`: #[poller(kind = \"jira\")]"));
    }
    declared
}

/// Checks the function, and fills in its arguments.
pub(crate) fn function(item: ItemFn, problems: &mut Problems) -> Function {
    let mut function = Function::new(item);
    let signature = &function.item.sig;
    if signature.asyncness.is_none() {
        problems.add(signature.fn_token, "a poller is an `async fn`");
    }
    let unsafety = match &signature.safety {
        Safety::Unsafe(token) => Some(token.span),
        _ => None,
    };
    for (token, word) in [
        (signature.constness.map(|token| token.span), "const"),
        (unsafety, "unsafe"),
        (signature.abi.as_ref().map(|abi| abi.extern_token.span), "extern"),
    ] {
        if let Some(span) = token {
            problems.push(syn::Error::new(span, format!("a poller cannot be `{word}`")));
        }
    }
    if !signature.generics.params.is_empty() {
        problems.add(
            &signature.generics.params,
            "a poller cannot be generic: the daemon calls it with one config and one cursor type",
        );
    } else if let Some(clause) = &signature.generics.where_clause {
        problems.add(clause, "a poller cannot be generic, so it needs no `where`");
    }
    if let Some(variadic) = &signature.variadic {
        problems.add(variadic, "a poller has a fixed number of arguments");
    }
    if let ReturnType::Default = signature.output {
        problems.add(&signature.ident, "a poller returns `Result<TickAck, PollerError>`");
    }
    if signature.ident.to_string().contains(|c: char| c.is_uppercase()) {
        problems.add(
            &signature.ident,
            "name the function in snake_case: the poller's struct is named after it in UpperCamelCase",
        );
    }
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(receiver) => problems.add(
                receiver,
                "a poller is a free function; what outlives a tick is `Cursor<T>` (kept for ever) or `State<T>` (once a \
                 process)",
            ),
            FnArg::Typed(typed) => {
                if let Some(problem) = argument_fault(&typed.ty) {
                    problems.add(&typed.ty, problem);
                } else {
                    function.arguments.push((*typed.ty).clone());
                }
            }
        }
    }
    function
}

/// What is wrong with an argument's type that can be told from its tokens; the rest is the compiler's to say.
fn argument_fault(ty: &Type) -> Option<String> {
    match ty {
        Type::ImplTrait(_) => Some("`impl Trait` cannot be built from a tick: name the type".to_owned()),
        Type::Reference(reference) if reference.mutability.is_some() => {
            Some("a tick's context is shared: take `&PollContext`".to_owned())
        }
        Type::Reference(reference) => match last_segment(&reference.elem) {
            Some(("PollContext", _)) => None,
            Some((name @ ("Config" | "Cursor" | "State" | "CancellationToken"), _)) => {
                Some(format!("take `{name}` by value: it is made for this tick"))
            }
            _ => None,
        },
        _ => match last_segment(ty) {
            Some(("PollContext", _)) => Some("take `&PollContext`".to_owned()),
            Some((name @ ("Config" | "Cursor" | "State"), false)) => {
                Some(format!("`{name}` of what? Write `{name}<T>` with a type of yours"))
            }
            _ => None,
        },
    }
}

/// The last word of a path type, and whether it has `<…>`.
fn last_segment(ty: &Type) -> Option<(&'static str, bool)> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    let known = ["PollContext", "Config", "Cursor", "State", "CancellationToken"];
    let name = known.into_iter().find(|name| segment.ident == name)?;
    Some((name, !segment.arguments.is_none()))
}

fn kind(argument: &Argument, problems: &mut Problems) -> Option<String> {
    let kind = string(argument, problems)?;
    if is_kind(&kind) {
        return Some(kind);
    }
    let mut message = format!("`{kind}` is not a kind: two or more of a-z, 0-9 and _, the first a letter");
    if let Some(like) = kind_like(&kind) {
        message.push_str(&format!("; did you mean `{like}`?"));
    }
    problems.add(argument, message);
    None
}

fn plugin_id(argument: &Argument, problems: &mut Problems) -> Option<String> {
    let id = string(argument, problems)?;
    if is_plugin_id(&id) {
        return Some(id);
    }
    problems.add(argument, format!("`{id}` is not a plugin id: 1 to 32 of a-z, 0-9 and _, the first a letter"));
    None
}

fn topic_prefix(argument: &Argument, problems: &mut Problems) -> Option<String> {
    let prefix = string(argument, problems)?;
    let fault = match pattern_fault(&prefix) {
        None if prefix.contains(['*', '>']) => Some("it contains a wildcard"),
        fault => fault,
    };
    match fault {
        None => return Some(prefix),
        Some(_) if prefix.is_empty() => problems.add(argument, "a topic prefix must not be empty"),
        Some(fault) => problems.add(argument, format!("`{prefix}` is not a topic prefix: {fault}")),
    }
    None
}

/// The shape only: whether the daemon's version matches is the daemon's business.
fn version_requirement(argument: &Argument, problems: &mut Problems) -> Option<String> {
    let text = string(argument, problems)?;
    let is_version = |part: &str| {
        let version = part.trim().trim_start_matches(['>', '<', '=', '^', '~']).trim_start();
        let core = version.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<&str> = core.split('.').collect();
        numbers.len() <= 3
            && numbers.iter().all(|n| *n == "*" || (!n.is_empty() && n.chars().all(|c| c.is_ascii_digit())))
    };
    if text.split(',').all(is_version) {
        return Some(text);
    }
    problems.add(argument, format!("`{text}` is not a version requirement; write it as `>=0.2.0`"));
    None
}

fn lifecycle(argument: &Argument, problems: &mut Problems) -> Option<bool> {
    let text = string(argument, problems)?;
    if LIFECYCLES.contains(&text.as_str()) {
        return Some(text == "ephemeral");
    }
    let mut message = format!(
        "`{text}` is not a lifecycle: `long_lived` (one process, many ticks) or `ephemeral` (one process per tick)"
    );
    if let Some(meant) = similar(&text.replace('-', "_"), &LIFECYCLES) {
        message.push_str(&format!("; did you mean `{meant}`?"));
    }
    problems.add(argument, message);
    None
}

fn patterns(argument: &Argument, problems: &mut Problems) -> Vec<String> {
    let key = &argument.key;
    let expected = format!("`{key}` is a list of topic patterns: {key} = [\"plugin.outbound.>\"]");
    let Expr::Array(list) = &argument.value else {
        problems.add(argument, expected);
        return Vec::new();
    };
    let mut patterns: Vec<String> = Vec::new();
    for element in &list.elems {
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = element else {
            problems.add(element, &expected);
            continue;
        };
        let pattern = text.value();
        if let Some(fault) = pattern_fault(&pattern) {
            problems.add(element, format!("`{pattern}` is not a topic pattern: {fault}"));
        } else if patterns.contains(&pattern) {
            problems.add(element, format!("`{pattern}` is listed twice"));
        } else {
            patterns.push(pattern);
        }
    }
    patterns
}

fn number(argument: &Argument, most: u32, unit: &str, problems: &mut Problems) -> Option<u32> {
    let key = &argument.key;
    if let Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) = &argument.value
        && let Ok(number) = literal.base10_parse::<u32>()
        && (1..=most).contains(&number)
    {
        return Some(number);
    }
    problems.add(argument, format!("`{key}` is a number from 1 to {most}{unit}"));
    None
}

fn boolean(argument: &Argument, problems: &mut Problems) -> Option<bool> {
    if let Expr::Lit(ExprLit { lit: Lit::Bool(literal), .. }) = &argument.value {
        return Some(literal.value);
    }
    problems.add(argument, format!("`{}` is `true` or `false`", argument.key));
    None
}

fn non_empty(argument: &Argument, problems: &mut Problems) -> Option<String> {
    let text = string(argument, problems)?;
    if text.trim().is_empty() {
        problems.add(argument, format!("`{}` must not be empty", argument.key));
        return None;
    }
    Some(text)
}

fn string(argument: &Argument, problems: &mut Problems) -> Option<String> {
    if let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = &argument.value {
        return Some(literal.value());
    }
    problems.add(argument, format!("`{}` is a string literal", argument.key));
    None
}

fn crate_path(argument: &Argument, problems: &mut Problems) -> Option<Path> {
    let path = match &argument.value {
        Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
        Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) => literal.parse().ok(),
        _ => None,
    };
    if path.is_none() {
        let error =
            syn::Error::new(argument.value.span(), "`crate` is the path of nexo-poller: crate = my_name_for_it");
        problems.push(error);
    }
    path
}
