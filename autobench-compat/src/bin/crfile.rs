//! `crfile`: files of random text.

fn main() {}
