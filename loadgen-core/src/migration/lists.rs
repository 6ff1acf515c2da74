//! Lists in the text that chooses a trigger: `KEY=VALUE,KEY=VALUE,…`.

use super::trigger::TriggerError;

/// A specification that is refused, for this reason.
pub(super) fn spec(reason: String) -> TriggerError {
    TriggerError::Spec(reason)
}

/// Splits `a=1,b=2` into pairs. An empty text is an empty list; a key may come
/// more than once (who reads the list decides whether that is allowed).
pub(super) fn key_values(text: &str) -> Result<Vec<(String, String)>, TriggerError> {
    list_items(text)
        .into_iter()
        .map(|item| match item.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && !value.is_empty() => {
                Ok((key.trim().to_owned(), value.to_owned()))
            }
            _ => Err(spec(format!("'{}' is not KEY=VALUE", item.escape_debug()))),
        })
        .collect()
}

/// Splits at commas; two commas in a row are one comma of the item.
pub(super) fn list_items(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != ',' {
            item.push(c);
        } else if chars.next_if_eq(&',').is_some() {
            item.push(',');
        } else {
            items.push(std::mem::take(&mut item));
        }
    }
    if !item.is_empty() || !items.is_empty() {
        items.push(item);
    }
    items
}
