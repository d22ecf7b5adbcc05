//! Tensors whose data lie in a file of their own.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{open::map, schema::TensorProto};

/// The directory of a model, through which its external data are reached and nothing else is.
#[derive(Debug, Clone)]
pub struct External {
    directory: PathBuf,
    maps: Arc<Mutex<BTreeMap<PathBuf, Bytes>>>,
}

impl External {
    /// The files beside the model at `path`.
    pub fn beside(path: &Path) -> Self {
        let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Self { directory, maps: Arc::default() }
    }

    /// Whether `tensor` keeps its data in another file.
    pub fn holds(tensor: &TensorProto) -> bool {
        tensor.data_location() == super::schema::tensor_proto::DataLocation::External
    }

    /// The file that holds `tensor`'s data, relative to the model, once it is known to be safe: a
    /// plain relative path through plain directories.
    pub fn location(&self, tensor: &TensorProto) -> Result<PathBuf, String> {
        let location = entry(tensor, "location").ok_or("external data without a location")?;
        let relative = Path::new(location);
        if location.is_empty() || !relative.components().all(|c| matches!(c, Component::Normal(_)))
        {
            return Err(format!(
                "its external data '{location}' would lie outside the model's directory; refused"
            ));
        }
        let mut at = self.directory.clone();
        for part in relative.components() {
            at.push(part);
            let meta = std::fs::symlink_metadata(&at)
                .map_err(|e| format!("its external data '{}': {e}", at.display()))?;
            if meta.is_symlink() {
                return Err(format!(
                    "its external data '{}' is a symbolic link; refused: put the file itself there",
                    at.display()
                ));
            }
        }
        Ok(relative.to_path_buf())
    }

    /// The data of `tensor`, mapped.
    pub fn bytes(&self, tensor: &TensorProto) -> Result<Bytes, String> {
        let location = self.location(tensor)?;
        let number = |key| match entry(tensor, key) {
            None => Ok(None),
            Some(text) => text
                .parse::<usize>()
                .map(Some)
                .map_err(|_| format!("its external data have the {key} '{text}'")),
        };
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let file = {
            let mut maps = self.maps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match maps.get(&location) {
                Some(file) => file.clone(),
                None => {
                    let file = map(&self.directory.join(&location))
                        .map_err(|error| error.to_string())?
                        .bytes;
                    maps.insert(location.clone(), file.clone());
                    file
                }
            }
        };
        let end = length.map_or(Some(file.len()), |length| offset.checked_add(length));
        match end {
            Some(end) if offset <= end && end <= file.len() => Ok(file.slice(offset..end)),
            _ => Err(format!(
                "its external data would reach beyond the end of '{}' ({} bytes)",
                location.display(),
                file.len()
            )),
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

    /// The file that holds the data of a tensor that says they are at `location`.
    fn location(directory: &Path, location: &str) -> Result<PathBuf, String> {
        let entry =
            StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
        let tensor = TensorProto { external_data: vec![entry], ..TensorProto::default() };
        External::beside(&directory.join("model.onnx")).location(&tensor)
    }

    #[test]
    fn data_lie_in_plain_files_below_the_model() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("inner")).unwrap();
        for name in ["w.bin", "inner/w.bin", "..w.bin"] {
            std::fs::write(directory.path().join(name), "").unwrap();
            assert_eq!(location(directory.path(), name), Ok(name.into()));
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
        let error = External::beside(Path::new("model.onnx")).location(&TensorProto::default());
        assert_eq!(error, Err("external data without a location".into()));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("inner")).unwrap();
        std::fs::write(at("inner/w.bin"), "").unwrap();
        std::os::unix::fs::symlink(at("inner/w.bin"), at("file")).unwrap();
        std::os::unix::fs::symlink(at("inner"), at("folder")).unwrap();
        for name in ["file", "folder/w.bin"] {
            let refusal = location(directory.path(), name).unwrap_err();
            assert!(refusal.contains("is a symbolic link"), "{name}: {refusal}");
        }
    }
}
