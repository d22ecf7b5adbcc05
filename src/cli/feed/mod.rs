//! What models are fed: data of each kind, as their inputs take it.

pub mod image;
