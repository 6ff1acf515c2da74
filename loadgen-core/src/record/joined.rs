//! How what there need not be is joined.

/// The lesser of the two: the same one in whatever order they come.
pub(crate) fn first<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Both, as `join` adds one to the other.
pub(crate) fn both<T>(one: &mut Option<T>, other: Option<T>, join: impl FnOnce(&mut T, T)) {
    match (one, other) {
        (Some(one), Some(other)) => join(one, other),
        (one @ None, other) => *one = other,
        (Some(_), None) => {}
    }
}
