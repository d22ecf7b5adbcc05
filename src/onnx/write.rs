//! Writing a model without copying its weights through memory.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Addition, Error, External, Model, Transaction,
    encode::{Rope, rope},
    file,
    parts::{tensors, tensors_mut},
    schema::{StringStringEntryProto, TensorProto, tensor_proto::DataLocation},
};

/// What no reader of protobuf but prost accepts in one message: 2 GiB and more.
pub const PROTOBUF_LIMIT: u64 = (1 << 31) - 1;

/// Stages `model` with `addition` for `path`, with what belongs to it. External data that lie where
/// the written model will look for them stay there, and are copied otherwise. A message of more than
/// `limit` bytes ([`PROTOBUF_LIMIT`] unless a test says otherwise) has its weights moved to `path` +
/// `.data`.
///
/// `progress` is told the number of bytes written so far and in all. Returns that number.
pub(super) fn stage(
    model: &Model,
    addition: &Addition,
    path: &Path,
    limit: u64,
    progress: &dyn Fn(u64, u64),
    transaction: &mut Transaction,
) -> Result<u64, Error> {
    model.files().iter().for_each(|file| transaction.protect(file));
    transaction.check(path)?;
    let names = place_external(model, path, transaction)?;
    let mut files = Vec::new();
    let renamed = if names.is_empty() {
        model.proto().clone()
    } else {
        let mut proto = (**model.proto()).clone();
        tensors_mut(&mut proto, |tensor| rename(tensor, &names));
        Arc::new(proto)
    };
    let mut message = rope(&renamed, addition);
    if message.len > limit {
        let name = format!("{}.data", path.file_name().unwrap_or_default().to_string_lossy());
        let mut data = Rope::default();
        let (mut proto, mut addition) = ((*renamed).clone(), addition.clone());
        tensors_mut(&mut proto, |tensor| externalise(tensor, &name, &mut data));
        addition.initializers.iter_mut().for_each(|t| externalise(t, &name, &mut data));
        message = rope(&proto, &addition);
        if message.len > PROTOBUF_LIMIT.max(limit) {
            let what = format!(
                "takes {} bytes without its weights, and no reader of ONNX takes as many",
                message.len
            );
            return Err(Error::Model { path: path.into(), what });
        }
        files.push((path.with_file_name(name), data));
    }
    files.push((path.to_path_buf(), message));

    let total = files.iter().map(|(_, rope)| rope.len).sum();
    let mut written = 0;
    for (path, rope) in files {
        let mut file = transaction.create(&path)?;
        for chunk in rope.finish() {
            for piece in chunk.chunks(64 << 20) {
                let mapped = model.file();
                let from = mapped.and_then(|mapped| Some((mapped.file(), mapped.position(piece)?)));
                match from {
                    // From file to file, where the system can do that by itself.
                    Some((mut source, at)) if piece.len() > 1 << 16 => {
                        source.seek(SeekFrom::Start(at)).map_err(Error::io(model.path()))?;
                        let mut window = source.take(piece.len() as u64);
                        let copied = std::io::copy(&mut window, &mut file);
                        if copied.map_err(Error::io(&path))? < piece.len() as u64 {
                            return Err(cut_short(model.path()));
                        }
                    }
                    _ => file.write_all(piece).map_err(Error::io(&path))?,
                }
                written += piece.len() as u64;
                progress(written, total);
            }
        }
    }
    Ok(written)
}

fn cut_short(path: &Path) -> Error {
    let what = "the file was cut short while it was read".into();
    Error::Model { path: path.into(), what }
}

/// Sees to it that the model at `path` will find its external data: leaves those that it would find
/// as it is, and stages copies of the others. Returns the new names of those that cannot keep theirs.
fn place_external(
    model: &Model,
    path: &Path,
    transaction: &mut Transaction,
) -> Result<BTreeMap<PathBuf, PathBuf>, Error> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let here = here.canonicalize().map_err(|e| Error::io(path)(e.kind().into()))?;
    let mut files = BTreeMap::new();
    for tensor in tensors(model.proto()).filter(|tensor| External::holds(tensor)) {
        let file =
            External::location(tensor).and_then(|at| Ok((at, model.external().find(tensor)?)));
        let (location, found) = file.map_err(|what| Error::Tensor {
            path: model.path().into(),
            tensor: tensor.name().into(),
            what,
        })?;
        files.insert(location, found);
    }
    let mut names = BTreeMap::new();
    for (location, found) in files {
        let to = directory.join(&location);
        let mut name = location.clone();
        match to.canonicalize() {
            Ok(there) if there == found.path && there.starts_with(&here) => {
                transaction.keep(directory, &location);
                continue;
            }
            // A link that leads out of the directory, which runtimes do not follow for a model that
            // is none itself: the copy needs another name.
            Ok(there) if there == found.path => {
                let parts: Vec<_> = location.iter().map(|part| part.to_string_lossy()).collect();
                let model = path.file_name().unwrap_or_default().to_string_lossy();
                name = format!("{model}.{}", parts.join(".")).into();
                names.insert(location, name.clone());
            }
            Ok(there) if there.is_file() => {
                if same_content(&found.path, &to).map_err(Error::io(&to))? {
                    transaction.protect(&to);
                    transaction.keep(directory, &location);
                    continue;
                }
                return Err(Error::Model {
                    path: to,
                    what: "another file is where the weights would be copied; choose an output in \
                           another directory, or in the model's own"
                        .into(),
                });
            }
            _ => {}
        }
        let source = file::open(&found.path).map_err(Error::io(&found.path))?;
        let mut copy = transaction.create_below(directory, &name)?;
        let copied = std::io::copy(&mut source.take(found.len), &mut copy);
        if copied.map_err(Error::io(&to))? < found.len {
            return Err(cut_short(&found.path));
        }
    }
    Ok(names)
}

/// Lets a tensor look for its data under the name that their copy has.
fn rename(tensor: &mut TensorProto, names: &BTreeMap<PathBuf, PathBuf>) {
    let renamed = Some(&*tensor).filter(|tensor| External::holds(tensor));
    let location = renamed.and_then(|tensor| External::location(tensor).ok());
    let Some(name) = location.and_then(|location| names.get(&location)) else { return };
    for entry in tensor.external_data.iter_mut().filter(|entry| entry.key() == "location") {
        entry.value = Some(name.to_string_lossy().into());
    }
}

fn same_content(a: &Path, b: &Path) -> std::io::Result<bool> {
    let (mut a, mut b) = (file::open(a)?, file::open(b)?);
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

/// Moves the payload of a tensor to the end of `data`, the file `name`.
fn externalise(tensor: &mut TensorProto, name: &str, data: &mut Rope) {
    const PAGE: u64 = 4096;
    let Some(raw) = tensor.raw_data.take_if(|raw| raw.len() >= 1024) else { return };
    let padding = data.len.next_multiple_of(PAGE) - data.len;
    data.push(vec![0; padding as usize].into());
    let entry = |key: &str, value: String| StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value),
    };
    tensor.data_location = Some(DataLocation::External as i32);
    tensor.external_data = vec![
        entry("location", name.into()),
        entry("offset", data.len.to_string()),
        entry("length", raw.len().to_string()),
    ];
    data.push(raw);
}
