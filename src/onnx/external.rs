//! Tensors whose data lie in a file of their own.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use super::{file, schema::TensorProto, shown::Shown};

/// The directories of a model, through which its external data are reached and nothing else is.
#[derive(Debug, Clone)]
pub struct External {
    directory: PathBuf,
    /// Where the model itself lies, if its path is a link: caches keep links to files that lie
    /// together elsewhere.
    home: Option<PathBuf>,
    found: Arc<Mutex<BTreeMap<PathBuf, Found>>>,
}

/// A file of external data.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it is, links followed.
    pub path: PathBuf,
    /// Its size when it was first looked at.
    pub len: u64,
}

impl External {
    /// The files beside the model at `path`.
    pub fn beside(path: &Path) -> Self {
        let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let home = path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_path_buf()));
        Self { directory, home, found: Arc::default() }
    }

    /// Whether `tensor` keeps its data in another file.
    pub fn holds(tensor: &TensorProto) -> bool {
        tensor.data_location() == super::schema::tensor_proto::DataLocation::External
    }

    /// Where `tensor` says that its data lie, relative to the model: a plain path that goes down.
    pub fn location(tensor: &TensorProto) -> Result<PathBuf, String> {
        let location = entry(tensor, "location").ok_or("external data without a location")?;
        let plain = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        let relative = Path::new(location);
        let parts = || relative.components().filter(|part| *part != Component::CurDir);
        if parts().next().is_none() || !relative.components().all(|part| plain(&part)) {
            return Err(format!(
                "its external data '{}' would lie outside the model's directory; refused",
                Shown(location)
            ));
        }
        Ok(parts().collect())
    }

    /// The file that holds `tensor`'s data, once it is known to be one that the model may have: in
    /// its directory, or in that of the file which its path is a link to.
    pub fn find(&self, tensor: &TensorProto) -> Result<Found, String> {
        let location = Self::location(tensor)?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(&location) {
            return Ok(known.clone());
        }
        let file = self.look(&location)?;
        found.insert(location, file.clone());
        Ok(file)
    }

    fn look(&self, location: &Path) -> Result<Found, String> {
        let name = location.to_string_lossy();
        let failed = |e: std::io::Error| format!("its external data '{}': {e}", Shown(&name));
        let here =
            if self.directory.as_os_str().is_empty() { ".".as_ref() } else { &*self.directory };
        let beside = |directory: &Path| directory.join(location).canonicalize();
        let path = match (beside(here), &self.home) {
            (Err(_), Some(home)) => beside(home),
            (found, _) => found,
        };
        let path = path.map_err(failed)?;
        let within = here.canonicalize().is_ok_and(|here| path.starts_with(here))
            || self.home.as_ref().is_some_and(|home| path.starts_with(home));
        if !within {
            return Err(format!(
                "its external data '{}' is a symbolic link that leaves the model's directory; \
                 refused: put the file itself there",
                Shown(&name)
            ));
        }
        let file = file::open(&path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        Ok(Found { path, len })
    }

    /// The part of a file that holds `tensor`'s data: the file, where it begins, and its length.
    fn window(&self, tensor: &TensorProto) -> Result<(Found, u64, u64), String> {
        let number = |key| match entry(tensor, key) {
            None => Ok(None),
            Some(text) => text
                .parse::<u64>()
                .map(Some)
                .map_err(|_| format!("its external data have the {key} '{}'", Shown(text))),
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let file = self.find(tensor)?;
        let end = length.map_or(Some(file.len), |length| offset.checked_add(length));
        match end {
            Some(end) if offset <= end && end <= file.len => Ok((file, offset, end - offset)),
            _ => Err(format!(
                "its external data would reach beyond the end of '{}' ({} bytes)",
                Shown(&file.path.to_string_lossy()),
                file.len
            )),
        }
    }

    /// How many bytes of data `tensor` has.
    pub fn size(&self, tensor: &TensorProto) -> Result<u64, String> {
        Ok(self.window(tensor)?.2)
    }

    /// The data of `tensor`. They are read, not mapped: a file that is cut short meanwhile is then an
    /// error, and not the end of the process.
    pub fn bytes(&self, tensor: &TensorProto) -> Result<Bytes, String> {
        let (found, offset, length) = self.window(tensor)?;
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = file::open(&found.path)?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) if bytes.len() as u64 == length => Ok(bytes.into()),
            Ok(_) => Err("its external data were cut short while they were read".into()),
            Err(e) => Err(format!("its external data: {e}")),
        }
    }

    /// The directory that locations are relative to.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    tensor.external_data.iter().find(|e| e.key() == key).map(|e| e.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::schema::StringStringEntryProto;

    /// Where the data lie of a tensor that says they are at `location`, if a model may have them.
    fn location(directory: &Path, location: &str) -> Result<PathBuf, String> {
        let entry =
            StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
        let tensor = TensorProto { external_data: vec![entry], ..TensorProto::default() };
        External::beside(&directory.join("model.onnx")).find(&tensor)?;
        External::location(&tensor)
    }

    #[test]
    fn data_lie_in_plain_files_below_the_model() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("inner")).unwrap();
        for name in ["w.bin", "inner/w.bin", "..w.bin", "./w.bin"] {
            std::fs::write(directory.path().join(name), "").unwrap();
            let plain = name.trim_start_matches("./");
            assert_eq!(location(directory.path(), name), Ok(plain.into()));
        }
        assert!(location(directory.path(), "missing.bin").unwrap_err().contains("missing.bin"));
    }

    #[test]
    fn no_location_leaves_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(directory.path().join("w.bin"), "").unwrap();
        let absolute = directory.path().join("w.bin");
        for path in ["", ".", "/", "..", "../w.bin", "x/../../w.bin", absolute.to_str().unwrap()] {
            let refusal = location(&inner, path).unwrap_err();
            assert!(refusal.contains("outside the model's directory"), "{path}: {refusal}");
        }
    }

    #[test]
    fn a_tensor_without_a_location_has_no_data() {
        let error = External::location(&TensorProto::default());
        assert_eq!(error, Err("external data without a location".into()));
    }

    #[cfg(unix)]
    #[test]
    fn links_that_leave_the_directory_are_not_followed() {
        let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| directory.path().join(name);
        std::fs::write(other.path().join("w.bin"), "").unwrap();
        std::os::unix::fs::symlink(other.path().join("w.bin"), at("file")).unwrap();
        std::os::unix::fs::symlink(other.path(), at("folder")).unwrap();
        for name in ["file", "folder/w.bin"] {
            let refusal = location(directory.path(), name).unwrap_err();
            assert!(refusal.contains("is a symbolic link"), "{name}: {refusal}");
        }
    }
}
