//! Writing a model without copying its weights through memory.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fs::{File, Permissions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{
    Addition, Error, External, Model,
    encode::{Rope, rope},
    schema::{StringStringEntryProto, TensorProto, tensor_proto::DataLocation},
};

/// What no reader of protobuf but prost accepts in one message: 2 GiB and more.
pub const PROTOBUF_LIMIT: u64 = (1 << 31) - 1;

/// Does what [`Writer::write`](super::Writer::write) says.
pub(super) fn write(
    model: &Model,
    addition: &Addition,
    path: &Path,
    limit: u64,
    progress: &dyn Fn(u64, u64),
) -> Result<u64, Error> {
    if same_file(path, model.path()) {
        return Err(Error::Model {
            path: path.into(),
            what: "the output would overwrite the source; name another file with -o".into(),
        });
    }
    let mut files = Vec::new();
    let mut message = rope(model.proto(), addition, Cow::Borrowed);
    if message.len > limit {
        let name = format!("{}.data", path.file_name().unwrap_or_default().to_string_lossy());
        let mut data = Rope::default();
        message = rope(model.proto(), addition, |tensor| externalise(tensor, &name, &mut data));
        files.push((path.with_file_name(name), data));
    }
    files.push((path.to_path_buf(), message));

    let total = files.iter().map(|(_, rope)| rope.len).sum();
    let mut written = 0;
    let mut staged = copy_external(model, addition, path)?;
    for (path, rope) in files {
        let mut file = stage(&path)?;
        for chunk in rope.finish() {
            for piece in chunk.chunks(64 << 20) {
                let from =
                    model.file().and_then(|mapped| Some((mapped.file(), mapped.position(piece)?)));
                match from {
                    // From file to file, where the system can do that by itself.
                    Some((mut source, at)) if piece.len() > 1 << 16 => {
                        source.seek(SeekFrom::Start(at)).map_err(Error::io(model.path()))?;
                        let mut window = source.take(piece.len() as u64);
                        let copied = std::io::copy(&mut window, file.as_file_mut());
                        if copied.map_err(Error::io(&path))? < piece.len() as u64 {
                            let what = "the file was cut short while it was read".into();
                            return Err(Error::Model { path: model.path().into(), what });
                        }
                    }
                    _ => file.write_all(piece).map_err(Error::io(&path))?,
                }
                written += piece.len() as u64;
                progress(written, total);
            }
        }
        staged.push((file, path));
    }
    for (file, path) in staged {
        file.persist(&path).map_err(|e| Error::Io { path, source: e.error })?;
    }
    Ok(written)
}

/// A temporary file that can become `path` by a rename.
fn stage(path: &Path) -> Result<NamedTempFile, Error> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    // The message of the error would name a temporary file that nobody asked for.
    let named = |e: std::io::Error| Error::io(path)(e.kind().into());
    builder.prefix(".abslrp-").tempfile_in(directory).map_err(named)
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Copies of the source's external data for an output in another directory.
fn copy_external(
    model: &Model,
    addition: &Addition,
    path: &Path,
) -> Result<Vec<(NamedTempFile, PathBuf)>, Error> {
    let target = path.parent().unwrap_or(Path::new(""));
    let here = |p: &Path| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.into() };
    if same_file(&here(target), &here(model.external().directory())) {
        return Ok(Vec::new());
    }
    let mut locations = BTreeSet::new();
    for tensor in model.graph().initializer.iter().chain(&addition.initializers) {
        if External::holds(tensor) {
            let location = model.external().location(tensor).map_err(|what| Error::Tensor {
                path: model.path().into(),
                tensor: tensor.name().into(),
                what,
            })?;
            locations.insert(location);
        }
    }
    let mut staged = Vec::new();
    for location in locations {
        let (from, to) = (model.external().directory().join(&location), target.join(&location));
        if to.exists() {
            if same_content(&from, &to).map_err(Error::io(&to))? {
                continue;
            }
            return Err(Error::Model {
                path: to,
                what: "another file is where the weights would be copied; choose an output in \
                       another directory, or in the model's own"
                    .into(),
            });
        }
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let mut source = File::open(&from).map_err(Error::io(&from))?;
        let mut file = stage(&to)?;
        std::io::copy(&mut source, file.as_file_mut()).map_err(Error::io(&to))?;
        staged.push((file, to));
    }
    Ok(staged)
}

fn same_content(a: &Path, b: &Path) -> std::io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut x, mut y) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = a.read(&mut x)?;
        if n == 0 {
            return Ok(true);
        }
        b.read_exact(&mut y[..n])?;
        if x[..n] != y[..n] {
            return Ok(false);
        }
    }
}

/// The tensor with its payload moved to the end of `data`, the file `name`.
fn externalise<'t>(tensor: &'t TensorProto, name: &str, data: &mut Rope) -> Cow<'t, TensorProto> {
    const PAGE: u64 = 4096;
    let Some(raw) = tensor.raw_data.as_ref().filter(|raw| raw.len() >= 1024) else {
        return Cow::Borrowed(tensor);
    };
    let padding = data.len.next_multiple_of(PAGE) - data.len;
    data.push(vec![0; padding as usize].into());
    let entry = |key: &str, value: String| StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value),
    };
    let moved = TensorProto {
        raw_data: None,
        data_location: Some(DataLocation::External as i32),
        external_data: vec![
            entry("location", name.into()),
            entry("offset", data.len.to_string()),
            entry("length", raw.len().to_string()),
        ],
        ..tensor.clone()
    };
    data.push(raw.clone());
    Cow::Owned(moved)
}
