//! What helps a migration, in QEMU's own terms. QEMU has no strategies, but capabilities,
//! parameters and orders.

use crate::migration::strategy::Help;

/// The capability.
pub(super) fn capability(help: Help) -> &'static str {
    match help {
        Help::AutoConverge => "auto-converge",
        Help::Xbzrle => "xbzrle",
        Help::Multifd | Help::MultifdZlib | Help::MultifdZstd => "multifd",
        Help::Preempt => "postcopy-preempt",
    }
}

/// The parameter that goes with it, and its value.
pub(super) fn parameter(help: Help) -> Option<(String, String)> {
    let compression = match help {
        Help::MultifdZlib => "zlib",
        Help::MultifdZstd => "zstd",
        _ => return None,
    };
    Some(("multifd-compression".to_owned(), compression.to_owned()))
}
