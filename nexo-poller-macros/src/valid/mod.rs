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
use crate::mistakes::Mistakes;

/// What the author said, as far as it can be understood.
pub(crate) struct Valid {
    pub(crate) settings: Settings,
    pub(crate) function: Option<Function>,
}

impl Valid {
    /// Checks everything; whatever is wrong is in `mistakes` afterwards.
    pub(crate) fn check(entries: Vec<Entry>, all_read: bool, item: &Item, mistakes: &mut Mistakes) -> Self {
        let name = item.function.as_ref().map(|head| &head.signature.ident);
        let settings = Settings::check(entries, all_read, name, mistakes);
        let function = item.function.as_ref().map(|head| Function::check(head, settings.main, mistakes));
        Self { settings, function }
    }
}
