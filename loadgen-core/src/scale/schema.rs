//! The schema of the document of a shard, told before all else that stands in it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const SCHEMA: &str = "loadgen-shard/1";

/// `loadgen-shard/1`, and nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema;

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        SCHEMA.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let found = String::deserialize(from)?;
        match found == SCHEMA {
            true => Ok(Self),
            false => Err(D::Error::custom(format!("its schema is '{found}', not '{SCHEMA}'"))),
        }
    }
}
