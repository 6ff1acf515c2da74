//! Migrations ordered over HTTP, as a recipe says it: the trigger `http:RECIPE.toml`. What differs from
//! one manager to the next stands in the recipe; here is what they have in common.
//!
//! **Layout**: [`file`] is a recipe as it is written, [`check`] whether it can be followed,
//! [`template`] a text with places for values, and the values, [`condition`] what answers are judged by, [`options`] what a specification says,
//! [`session`] asks the servers of a recipe, [`flight`] is a migration that was ordered: it is looked at
//! again and again, and [`trigger`] is the plug-in.

mod check;
mod condition;
mod file;
mod flight;
mod options;
mod session;
mod template;
mod trigger;

pub use options::RecipeOptions;
pub use trigger::RecipeTrigger;
