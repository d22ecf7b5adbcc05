//! What stands in for `tokenizer.rs` where the feature `text` is off.

use std::path::Path;

use super::{Error, text::Encoded};

/// There is none.
pub enum Tokenizer {}

impl Tokenizer {
    pub fn read(_path: &Path) -> Result<Self, Error> {
        Err(Error::NoText)
    }

    pub fn encode(&self, _path: &Path, _text: &str, _pair: Option<&str>) -> Result<Encoded, Error> {
        match *self {}
    }

    pub fn name(&self, _id: i64) -> Option<String> {
        match *self {}
    }

    pub fn decoded(&self, _id: usize) -> Option<String> {
        match *self {}
    }

    pub fn size(&self) -> usize {
        match *self {}
    }

    pub fn padding(&self) -> i64 {
        match *self {}
    }
}
