//! Numbers by which the engine's lists are looked up. A type for each list, so that a job's number is not taken for a kind's.

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(u32);

        impl $name {
            /// The number of the entry at `position`; none beyond what 32 bits hold, which memory does not hold either.
            pub(super) fn of(position: usize) -> Option<Self> {
                u32::try_from(position).ok().map(Self)
            }

            pub(super) fn position(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// A job in memory. Short-lived: once the job has been forgotten, the next one may get its number. Whatever keeps a number
    /// longer than one step of the engine checks what it finds there.
    JobIndex
}
index! {
    /// A kind of poller. It stays as long as the engine does.
    KindIndex
}
index! {
    /// A tick in flight. The number is used again once the tick's task has gone, so it is compared with the tick's job and
    /// epoch where the store's answers refer to it.
    FlightKey
}

impl FlightKey {
    /// As the tick's task carries it.
    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn from_number(number: u32) -> Self {
        Self(number)
    }
}
