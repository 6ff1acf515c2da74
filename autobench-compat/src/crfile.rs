//! `crfile`: files of random text.
