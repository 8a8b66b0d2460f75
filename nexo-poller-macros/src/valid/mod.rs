//! Every rule about what an author may write, and the message where one is broken.

mod argument;
mod description;
mod function;
mod keys;
mod rules;
mod settings;
mod taken;
mod value;

pub(crate) use self::function::Function;
pub(crate) use self::settings::{Lifecycle, Settings};

use crate::ast::Item;
use crate::attr::Entry;
use crate::errors::Errors;

/// What the author said, as far as it can be understood.
pub(crate) struct Valid {
    pub(crate) settings: Settings,
    pub(crate) function: Option<Function>,
}

impl Valid {
    /// Checks everything; whatever is wrong is in `errors` afterwards.
    pub(crate) fn check(entries: Vec<Entry>, all_read: bool, item: &Item, errors: &mut Errors) -> Self {
        let name = item.function.as_ref().map(|head| &head.signature.ident);
        let settings = Settings::check(entries, all_read, name, errors);
        let function = item.function.as_ref().map(|head| Function::check(head, settings.main, errors));
        Self { settings, function }
    }
}
