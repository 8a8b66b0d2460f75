/// The author's crate, as Cargo told the compiler. Made by [`package!`](crate::package).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Package {
    /// `CARGO_PKG_NAME`.
    pub name: &'static str,
    /// `CARGO_PKG_VERSION`.
    pub version: &'static str,
    /// `CARGO_PKG_DESCRIPTION`.
    pub description: &'static str,
    /// `CARGO_BIN_NAME`, where the poller stands in a binary.
    pub bin: Option<&'static str>,
}

impl Package {
    /// A crate of this name and version, without a description.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, description: "", bin: None }
    }

    /// What it is, in one sentence.
    #[must_use]
    pub const fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The binary, where it does not have the crate's name.
    #[must_use]
    pub const fn bin(mut self, bin: Option<&'static str>) -> Self {
        self.bin = bin;
        self
    }
}

/// The crate that this stands in, as a [`Package`](crate::manifest::Package): who has written a poller, and of which version it is.
///
/// ```
/// use nexo_poller::manifest::Declaration;
///
/// const DECLARATION: Declaration = Declaration::new("heartbeat", nexo_poller::package!());
/// assert_eq!(DECLARATION.package.name, "nexo-poller");
/// ```
#[macro_export]
macro_rules! package {
    () => {
        // Read where this expands: the author's crate, not the library's.
        $crate::manifest::Package::new(::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"))
            .description(::core::env!("CARGO_PKG_DESCRIPTION"))
            .bin(::core::option_env!("CARGO_BIN_NAME"))
    };
}
