//! Models in files.

use std::{fs::File, path::Path, sync::Arc};

use bytes::Bytes;

use super::{Addition, Error, Model, Writer};

/// A file that is mapped into memory.
#[derive(Debug)]
pub struct Mapped {
    file: File,
    pub(super) bytes: Bytes,
}

impl Mapped {
    /// Where in the file a window on its map begins.
    pub(super) fn position(&self, window: &[u8]) -> Option<u64> {
        let (start, begin) = (self.bytes.as_ptr() as usize, window.as_ptr() as usize);
        let at = begin.checked_sub(start)?;
        (at + window.len() <= self.bytes.len()).then_some(at as u64)
    }

    /// The file, to be read on its own.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Model {
    /// Maps the file at `path`; see [`Model::decode`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mapped = map(path)?;
        let mut model = Self::decode(mapped.bytes.clone(), path)?;
        model.file = Some(Arc::new(mapped));
        Ok(model)
    }

    /// The file that payloads are windows on, if they are.
    pub(super) fn file(&self) -> Option<&Mapped> {
        self.file.as_deref()
    }

    /// The model as it is, to be written.
    pub fn writer(&self) -> Writer<'_> {
        const NOTHING: &Addition = &Addition {
            nodes: Vec::new(),
            initializers: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            metadata: Vec::new(),
        };
        Writer::new(self, NOTHING)
    }
}

/// The bytes of a file, paged in as they are looked at.
pub(super) fn map(path: &Path) -> Result<Mapped, Error> {
    let file = File::open(path).map_err(Error::io(path))?;
    if !file.metadata().map_err(Error::io(path))?.is_file() {
        return Err(Error::Model { path: path.into(), what: "not a regular file".into() });
    }
    // SAFETY: the map is read-only and private to this process. As with every memory map, another
    // process that truncates the file while it is in use can make reads fail; nothing in safe Rust
    // can prevent that, and copying hundreds of megabytes of weights is what the map is there to
    // avoid.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io(path))?;
    Ok(Mapped { file, bytes: Bytes::from_owner(map) })
}
