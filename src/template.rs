//! Floor 1, engine: typed context + catalogue → the words of a message. Handlebars and MJML live here and
//! nowhere else.
//!
//! The words are files under `templates/`: messages with a manifest, samples and a folder a language;
//! disclosures, which policy demands and the renderer places, so that a writer cannot forget them; partials.
//! [`catalogue::Catalogue::load`] reads them all, names every fault with file and line, and compiles;
//! [`catalogue::Catalogue::check`] judges a request's variables at intake; [`catalogue::Catalogue::render`]
//! writes the message.
//!
//! Strict throughout. Handlebars' own strict mode is silent inside `#if` and on nulls, so each path is also
//! resolved at load against what the template declares and what the engine supplies, and nulls never enter
//! the context. Escaping belongs to the form: one registry escapes HTML, another leaves text alone, and
//! nothing can switch either off.

pub mod catalogue;
mod compile;
pub mod context;
mod disclosure;
mod engine;
pub mod format;
mod lint;
pub mod manifest;
mod message;
mod mjml;
mod proof;
pub mod render;
pub mod sample;
pub mod segment;
mod shelf;
pub mod variable;
