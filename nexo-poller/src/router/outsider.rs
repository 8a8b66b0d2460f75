const EVERYBODY_WRITES: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;

/// Somebody, besides root and who runs this, who can change a file, or what stands in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outsider {
    /// It is another user's.
    Owner,
    /// Whoever likes can.
    Everybody,
    /// The members of its group can.
    Group,
}

impl Outsider {
    /// Of what has this `mode` and belongs to a user and a group, both by their ids, while `us` are the user who runs this and his
    /// group. Where each user has a group of his own, what he makes is often writable for it.
    #[must_use]
    pub fn of(mode: u32, (owner, group): (u32, u32), us: (u32, u32)) -> Option<Self> {
        // Root can do what it likes anyway.
        if owner != 0 && owner != us.0 {
            return Some(Self::Owner);
        }
        if mode & EVERYBODY_WRITES != 0 {
            return Some(Self::Everybody);
        }
        (mode & GROUP_WRITES != 0 && group != 0 && group != us.1).then_some(Self::Group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_who_runs_this_are_no_outsiders_and_neither_are_their_groups() {
        let us = (1000, 100);
        for (mode, ids, outsider) in [
            (0o755, (1000, 100), None),
            (0o755, (0, 0), None),
            (0o775, (1000, 100), None),
            (0o775, (0, 0), None),
            (0o755, (1000, 7), None),
            (0o775, (1000, 7), Some(Outsider::Group)),
            (0o777, (1000, 7), Some(Outsider::Everybody)),
            (0o1777, (0, 0), Some(Outsider::Everybody)),
            (0o702, (1000, 100), Some(Outsider::Everybody)),
            (0o700, (1001, 100), Some(Outsider::Owner)),
        ] {
            assert_eq!(Outsider::of(mode, ids, us), outsider, "{mode:o} {ids:?}");
        }
        assert_eq!(Outsider::of(0o700, (1000, 0), (0, 0)), Some(Outsider::Owner), "root does not run what is a user's");
    }
}
