//! Fits held against recordings of which the truth is known.

mod invented;
mod real;
