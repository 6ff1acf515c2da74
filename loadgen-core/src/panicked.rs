//! What a panic said, in code of the embedding program that was called: it is told as the
//! program's own.

use std::any::Any;

/// Its words, if it has any.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it did not say why")
}
