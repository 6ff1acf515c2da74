//! An experiment for people.

mod compared;
pub(super) mod figure;
mod html;
mod sections;
mod text;

pub use compared::render_compared;
pub use figure::{render_spread, render_value};
pub use html::render_html;
pub use text::render_text;
