//! To which addresses connections went.

use serde::{Deserialize, Serialize};

/// To which addresses connections went, warm-up included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectedTo {
    /// The addresses, by the first connection to each; at most 64.
    pub addresses: Vec<AddressReport>,
    /// Connections begun to addresses beyond those.
    pub beyond: u64,
    /// How often the name was resolved while the load ran; `None`: not resolved again.
    pub lookups: Option<u64>,
    /// Of these, how often that failed.
    pub lookups_failed: Option<u64>,
    /// What the resolver said the first time that it failed.
    pub lookup_error: Option<String>,
}

/// The connections to one address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AddressReport {
    /// IP address and port, or `unix:` and a path.
    pub address: String,
    /// Connections begun.
    pub connections: u64,
    /// Of these, those that were opened.
    pub opened: u64,
    /// When the first was begun, from the start of the load; 0: before it.
    pub first_s: f64,
    /// When the last was begun.
    pub last_s: f64,
}
