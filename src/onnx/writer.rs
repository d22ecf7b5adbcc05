//! What is to be written, and how.

use std::path::Path;

use super::{Addition, Error, Model, PROTOBUF_LIMIT, Transaction, write::stage};

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

    /// Writes it to `path`, all of it or nothing: a file that was there before is still there when
    /// that fails. External data that lie where the written model will look for them stay there, and
    /// are copied otherwise. Returns the number of bytes written.
    pub fn write(self, path: impl AsRef<Path>) -> Result<u64, Error> {
        let mut transaction = Transaction::default();
        let written = self.stage(path, &mut transaction)?;
        transaction.commit()?;
        Ok(written)
    }

    /// As [`Writer::write`], as a part of what a transaction writes.
    pub fn stage(
        self,
        path: impl AsRef<Path>,
        transaction: &mut Transaction,
    ) -> Result<u64, Error> {
        let Self { model, addition, limit, progress } = self;
        stage(model, addition, path.as_ref(), limit, progress, transaction)
    }
}
