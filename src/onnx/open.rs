//! Models in files.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::{Addition, Error, External, Model, Writer, file, parts::tensors};

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
    /// Reads or maps the file at `path`; see [`Model::decode`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = file::open(path).map_err(Error::io(path))?;
        if file.metadata().map_err(Error::io(path))?.len() <= SMALL {
            let bytes = file::read(path, SMALL).map_err(Error::io(path))?;
            return Self::decode(bytes.into(), path);
        }
        let mapped = map(file).map_err(Error::io(path))?;
        let mut model = Self::decode(mapped.bytes.clone(), path)?;
        model.file = Some(Arc::new(mapped));
        Ok(model)
    }

    /// The file that payloads are windows on, if they are.
    pub(super) fn file(&self) -> Option<&Mapped> {
        self.file.as_deref()
    }

    /// The files that the model consists of: its own, and those of its external data.
    pub fn files(&self) -> Vec<PathBuf> {
        let external = tensors(self.proto()).filter(|tensor| External::holds(tensor));
        let found = external.filter_map(|tensor| Some(self.external().find(tensor).ok()?.path));
        let mut files: Vec<_> = found.chain([self.path().to_path_buf()]).collect();
        files.sort_unstable();
        files.dedup();
        files
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

/// Up to this size a model is read: a file that somebody cuts short meanwhile is then an error. A
/// larger one is mapped, so that its weights are not copied.
const SMALL: u64 = 1 << 27;

/// The bytes of a file, paged in as they are looked at.
fn map(file: File) -> std::io::Result<Mapped> {
    // SAFETY: the map is read-only, and nothing here writes to the file. Somebody else may: bytes
    // that change under the map can make decoding fail or change what is decoded, which is checked
    // as any other file is. A file that is cut short while it is decoded ends the process by a signal
    // (SIGBUS), which safe Rust cannot prevent; copies of large payloads are made from file to file,
    // so that they are an error instead.
    #[allow(unsafe_code)]
    let map = unsafe { memmap2::Mmap::map(&file) }?;
    Ok(Mapped { file, bytes: Bytes::from_owner(map) })
}
