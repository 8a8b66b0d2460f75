use super::failure::Failure;
use crate::plugin::PollerHandler;
use crate::plugin::ticks::ServedKind;

/// The kind that `--kind` names; it may be left out where there is only one.
pub(super) fn kind<'h>(handler: &'h PollerHandler, wanted: Option<&str>) -> Result<&'h ServedKind, Failure> {
    let names = || handler.kinds().iter().map(|kind| kind.declaration.kind).collect::<Vec<_>>().join(", ");
    match (wanted, handler.kinds()) {
        (None, [only]) => Ok(only),
        (None, []) => Err(Failure::other("this plugin has no poller")),
        (None, _) => {
            Err(Failure::usage(format!("this plugin serves several kinds: choose one with --kind ({})", names())))
        }
        (Some(wanted), kinds) => kinds.iter().find(|kind| kind.declaration.kind == wanted).ok_or_else(|| {
            Failure::usage(format!("this plugin does not serve kind `{wanted}`; it serves {}", names()))
        }),
    }
}
