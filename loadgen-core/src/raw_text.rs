//! Bytes that nearly always are text: URIs, header lines, bodies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Marks a string that is the base64 of the bytes, not their text.
const BASE64: &str = "base64:";

/// Bytes as they go over the wire. In JSON they are a string: the text itself, or
/// `base64:` and their base64 if they are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RawText(pub Vec<u8>);

impl From<&str> for RawText {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<Vec<u8>> for RawText {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl TryFrom<String> for RawText {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix(BASE64) {
            Some(encoded) => STANDARD.decode(encoded).map(Self),
            None => Ok(Self(text.into_bytes())),
        }
    }
}

impl From<RawText> for String {
    fn from(raw: RawText) -> Self {
        match Self::from_utf8(raw.0) {
            Ok(text) if !text.starts_with(BASE64) => text,
            Ok(text) => format!("{BASE64}{}", STANDARD.encode(text)),
            Err(error) => format!("{BASE64}{}", STANDARD.encode(error.as_bytes())),
        }
    }
}

impl std::ops::Deref for RawText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back_from_json(bytes: Vec<u8>) {
            let json = serde_json::to_string(&RawText(bytes.clone())).unwrap();
            prop_assert_eq!(&*serde_json::from_str::<RawText>(&json).unwrap(), &bytes[..]);
        }
    }

    #[test]
    fn text_stays_readable() {
        assert_eq!(serde_json::to_string(&RawText::from("/a")).unwrap(), "\"/a\"");
        assert_eq!(
            serde_json::to_string(&RawText::from("base64:")).unwrap(),
            "\"base64:YmFzZTY0Og==\""
        );
    }
}
