//! The data that a model is evaluated on: a folder of pictures, `.npy`, `.npz` or CSV.

use std::{
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use abslrp::{
    evaluate::Data,
    onnx::{Model, file, shown::Shown},
    verify::session::{Array, Input},
};
use ndarray::{ArrayD, Axis, IxDyn};

use super::{
    Failure,
    feed::image::{self as images, Preparation},
};

/// More than fits most machines, and less than a header can claim.
const LONGEST: u64 = 1 << 33;

/// What data have beside the inputs.
pub const LABELS: &str = "labels";
/// Where the object is.
pub const MASKS: &str = "masks";

/// Reads data for an input.
pub fn read(
    path: &Path,
    model: &Model,
    input: &Input,
    image: Option<[usize; 3]>,
    preparation: &Preparation,
    label_column: Option<&str>,
) -> Result<Data, Failure> {
    let refuse = |what: String| Failure::Image { path: path.into(), what };
    if path.is_dir() {
        let Some(axes) = image else {
            return Err(refuse(format!(
                "a folder of pictures is for image inputs, and {} has {} axes",
                Shown(&input.name),
                input.shape.len()
            )));
        };
        return folder(path, model, input, axes, preparation);
    }
    match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => Ok(Data { inputs: vec![(None, Array::read(path)?)], ..Data::default() }),
        Some("npz") => npz(path),
        Some("csv") => table(path, input, label_column),
        _ => Err(refuse("not a folder of pictures, nor .npy, .npz or .csv".into())),
    }
}

/// Pictures, by name. Those in folders that are numbers have these as labels.
fn folder(
    path: &Path,
    model: &Model,
    input: &Input,
    axes: [usize; 3],
    preparation: &Preparation,
) -> Result<Data, Failure> {
    let refuse = |path: &Path, what: String| Failure::Image { path: path.into(), what };
    let list = |path: &Path| -> Result<Vec<PathBuf>, Failure> {
        let entries = std::fs::read_dir(path).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        let mut paths = entries.map_err(|e| refuse(path, e.to_string()))?;
        paths.sort();
        Ok(paths)
    };
    let is_picture = |path: &PathBuf| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        ["png", "jpg", "jpeg"].contains(&extension.to_lowercase().as_str())
    };
    let mut found: Vec<(PathBuf, Option<usize>)> = Vec::new();
    for entry in list(path)? {
        if entry.is_dir() {
            let label = entry.file_name().and_then(|name| name.to_str()?.parse().ok());
            found.extend(list(&entry)?.into_iter().filter(is_picture).map(|path| (path, label)));
        } else if is_picture(&entry) {
            found.push((entry, None));
        }
    }
    let pixels = preparation.pixels(model, input, axes);
    let mut samples: Vec<ArrayD<f64>> = Vec::new();
    for (path, _) in &found {
        let picture = images::picture(path).and_then(|picture| pixels.fitted(picture));
        let picture = picture.map_err(|e| refuse(path, e))?;
        let numbers = pixels.numbers(&picture);
        if let Some(first) = samples.first().filter(|first| first.shape() != numbers.shape()) {
            let what = format!(
                "of shape {:?}, and those before are of {:?}",
                numbers.shape(),
                first.shape()
            );
            return Err(refuse(path, what));
        }
        samples.push(numbers);
    }
    let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
    let x = ndarray::concatenate(Axis(0), &views);
    let x =
        x.map_err(|_| refuse(path, "there are no PNG or JPEG pictures in this folder".into()))?;
    let labels = found.iter().map(|(_, label)| *label).collect();
    Ok(Data { inputs: vec![(None, x)], labels, masks: None })
}

/// Arrays by the names of inputs, `labels` and `masks`.
fn npz(path: &Path) -> Result<Data, Failure> {
    let refuse = |what: String| Failure::Image { path: path.into(), what };
    let bytes = file::read(path, LONGEST).map_err(|e| refuse(e.to_string()))?;
    let archive = zip::ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|e| refuse(format!("not an .npz file: {e}")))?;
    let mut data = Data::default();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| refuse(e.to_string()))?;
        let name = entry.name().trim_end_matches(".npy").to_string();
        let mut bytes = Vec::new();
        let read = entry.take(LONGEST).read_to_end(&mut bytes);
        read.map_err(|e| refuse(format!("{}: {e}", Shown(&name))))?;
        let array = Array::parse(&bytes, &path.join(&name))?;
        match name.as_str() {
            LABELS => data.labels = Some(classes(array.iter()).map_err(refuse)?),
            MASKS => data.masks = Some(array),
            _ => data.inputs.push((Some(name), array)),
        }
    }
    Ok(data)
}

/// Numbers as classes.
fn classes<'n>(numbers: impl Iterator<Item = &'n f64>) -> Result<Vec<usize>, String> {
    let class = |&number: &f64| match number {
        n if n >= 0.0 && n.fract() == 0.0 => Ok(n as usize),
        other => Err(format!("a label is {other}, and a class is a number 0, 1, …")),
    };
    numbers.map(class).collect()
}

/// A table with names in its first line; every column but that of labels is a feature, in order.
fn table(path: &Path, input: &Input, label: Option<&str>) -> Result<Data, Failure> {
    let refuse = |what: String| Failure::Image { path: path.into(), what };
    let bytes = file::read(path, LONGEST).map_err(|e| refuse(e.to_string()))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes.as_slice());
    let names = reader.headers().map_err(|e| refuse(e.to_string()))?.clone();
    let place = |wanted: &str| names.iter().position(|name| name == wanted);
    let label = match label {
        Some(name) => Some(place(name).ok_or_else(|| {
            let names: Vec<_> = names.iter().collect();
            refuse(format!(
                "there is no column {}; there are {}",
                Shown(name),
                Shown(&names.join(", "))
            ))
        })?),
        None => place("label"),
    };
    let (mut features, mut labels, mut rows) = (Vec::new(), Vec::new(), 0);
    for record in reader.records() {
        let record = record.map_err(|e| refuse(e.to_string()))?;
        for (column, (text, name)) in record.iter().zip(&names).enumerate() {
            let number: f64 = text.parse().map_err(|_| {
                refuse(format!(
                    "line {}, column {}: {} is not a number",
                    rows + 2,
                    Shown(name),
                    Shown(text)
                ))
            })?;
            if Some(column) == label { labels.push(number) } else { features.push(number) }
        }
        rows += 1;
    }
    let columns = names.len() - usize::from(label.is_some());
    // The features of an input of several axes lie in row-major order.
    let open = input.shape.iter().skip(1).any(Option::is_none);
    let mut shape: Vec<_> = input.shape.iter().skip(1).map(|n| n.unwrap_or(1)).collect();
    if open && shape.len() == 1 {
        shape = vec![columns];
    }
    let expected: usize = shape.iter().product();
    if expected != columns {
        return Err(refuse(format!(
            "{} takes {expected} features, and the table has {columns} columns{}; name that of the labels with --label-column",
            Shown(&input.name),
            if label.is_some() { " beside the labels" } else { "" }
        )));
    }
    shape.insert(0, rows);
    let x = ArrayD::from_shape_vec(IxDyn(&shape), features).map_err(|e| refuse(e.to_string()))?;
    let labels = label.map(|_| classes(labels.iter()).map_err(refuse)).transpose()?;
    Ok(Data { inputs: vec![(None, x)], labels, masks: None })
}
