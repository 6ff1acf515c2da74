//! A prediction for people.

#[cfg(feature = "charts")]
mod chart;
mod figure;
mod fitted;
mod head;
mod html;
mod sections;
mod text;

pub use html::render_prediction_html;
pub use text::render_prediction_text;
