use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, Token};

use crate::names::similar;
use crate::problems::Problems;

/// Every key of the attribute, in the order of the documentation.
pub(crate) const KEYS: [&str; 13] = [
    "kind",
    "description",
    "publish",
    "subscribe",
    "lifecycle",
    "max_concurrent_ticks",
    "tick_timeout_secs",
    "plugin_id",
    "name",
    "topic_prefix",
    "min_nexo_version",
    "main",
    "crate",
];

/// One `key = value`, as written.
pub(crate) struct Argument {
    pub(crate) key: Ident,
    pub(crate) value: Expr,
}

/// Reads `key = value, …`. What cannot be read is a problem; what can is returned, each legal key once.
pub(crate) fn parse(tokens: TokenStream, problems: &mut Problems) -> Vec<Argument> {
    let mut arguments: Vec<Argument> = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            // `crate` is a keyword, so any word is read.
            let key = Ident::parse_any(input)?;
            let name = key.to_string();
            if !input.peek(Token![=]) {
                problems.add(&key, format!("expected `{name} = …`"));
                skip_value(input)?;
            } else {
                input.parse::<Token![=]>()?;
                let value: Expr = input.parse()?;
                if !KEYS.contains(&name.as_str()) {
                    problems.add(&key, unknown(&name));
                } else if arguments.iter().any(|known| known.key == key) {
                    problems.add(&key, format!("`{name}` is given twice"));
                } else {
                    arguments.push(Argument { key, value });
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = read.parse2(tokens) {
        problems.push(error);
    }
    arguments
}

/// Passes over what stands up to the next comma.
fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    match name {
        "kinds" => {
            return "one function is one kind: say `kind = \"…\"`; several kinds share a plugin through \
                    `PollerHandler::new().with(A).with(B).main()`"
                .to_owned();
        }
        "schedule" | "every" | "cron" | "interval" => {
            return format!("`{name}` belongs to the job in `pollers.yaml`: the operator decides when a poller runs");
        }
        "version" => return "the version is that of your crate, in its Cargo.toml".to_owned(),
        "timeout" | "tick_timeout" | "timeout_secs" => {
            return format!("unknown key `{name}`; the deadline of a tick is `tick_timeout_secs`");
        }
        "concurrency" | "max_concurrency" | "max_concurrent" => {
            return format!("unknown key `{name}`; ticks that may run at once are `max_concurrent_ticks`");
        }
        "id" => return "unknown key `id`; the plugin's id is `plugin_id`".to_owned(),
        _ => {}
    }
    match similar(name, &KEYS) {
        Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
        None => format!("unknown key `{name}`; the keys are {}", KEYS.join(", ")),
    }
}

impl ToTokens for Argument {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.value.to_tokens(tokens);
    }
}
