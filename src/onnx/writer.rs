//! What is to be written, and how.

use std::path::Path;

use super::{Addition, Error, Model, PROTOBUF_LIMIT, write::write};

/// A model that is to be written, with what was added to it.
pub struct Writer<'w> {
    model: &'w Model,
    addition: &'w Addition,
    limit: u64,
    progress: &'w dyn Fn(u64, u64),
}

impl<'w> Writer<'w> {
    pub(crate) fn new(model: &'w Model, addition: &'w Addition) -> Self {
        Self { model, addition, limit: PROTOBUF_LIMIT, progress: &|_, _| () }
    }

    /// Moves the weights of a message of more than this many bytes to a file of their own, the
    /// model's name with `.data` behind it; [`PROTOBUF_LIMIT`] unless it is said.
    pub fn limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// Tells the number of bytes written so far, and in all.
    pub fn progress(self, progress: &'w dyn Fn(u64, u64)) -> Self {
        Self { progress, ..self }
    }

    /// Writes it to `path`, by way of a temporary file: on failure nothing is left, and a file that
    /// was there before is still there. External data stay where they are when `path` lies in the
    /// same directory, and are copied otherwise. Returns the number of bytes written.
    pub fn write(self, path: impl AsRef<Path>) -> Result<u64, Error> {
        write(self.model, self.addition, path.as_ref(), self.limit, self.progress)
    }
}
