//! Tables, as models take their rows: all features in one input, or each in an input of its own.

use std::path::{Path, PathBuf};

use abslrp::{
    onnx::{DataType, file},
    verify::session::{Array, Input},
};
use ndarray::{ArrayD, Axis, IxDyn};

use super::{Error, Feeds, is_float_type, parquet};
use crate::cli::{Failure, labels::Labels};

/// How tables are read.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Given {
    /// What features are called, in the order in which the model takes them: a file with a name on each line; such columns are
    /// taken of a table. Also names the channels of a series [default: metadata `feature_names` or `features`, or all columns]
    #[arg(long, value_name = "FILE")]
    pub features: Option<PathBuf>,
    /// A column that is no feature [default: `label`]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Explain one row of a table, counted from 0
    #[arg(long, value_name = "N")]
    row: Option<usize>,
}

/// The column that is left out by default, as by `evaluate`.
const LABEL: &str = "label";

/// A table that is read: a name for each column, and rows of text.
pub struct Read {
    /// Empty where a file has none.
    pub names: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A table that is fed.
pub struct Table {
    /// What the features are called.
    pub names: Vec<String>,
    /// Their values, as they are written.
    pub rows: Vec<Vec<String>>,
    /// The number of the first row in the file.
    pub first: usize,
    /// The inputs: one, or one for each feature.
    inputs: Vec<String>,
}

/// How many rows run at once.
const BATCH: usize = 256;

impl Given {
    /// The names of features, where they are given.
    pub fn names(&self, feeds: &Feeds<'_>) -> Result<Vec<String>, Failure> {
        match &self.features {
            Some(path) => Ok(Labels::read(path)?.into_names()),
            None => {
                Ok(Labels::of_metadata(feeds.model, &["feature_names", "features"]).into_names())
            }
        }
    }

    /// Feeds the rows of a table.
    pub fn feed(
        &self,
        feeds: &mut Feeds<'_>,
        path: &Path,
        names: &[String],
    ) -> Result<Table, Error> {
        let read = read(path)?;
        let count = read.rows.len();
        if count == 0 {
            return Err(Error::NoRows);
        }
        let rows = match self.row {
            Some(row) if row < count => row..row + 1,
            Some(row) => return Err(Error::NoRow { row, count }),
            None => 0..count,
        };
        let first = rows.start;
        let table = match feeds.open.as_slice() {
            [input] if input.shape.len() != 1 && width(input) != Some(1) => {
                let input = input.clone();
                self.one_input(feeds, &input, &read, rows, names)?
            }
            _ => each_its_input(feeds, &read, rows)?,
        };
        Ok(Table { first, ..table })
    }

    /// All features go to one input.
    fn one_input(
        &self,
        feeds: &mut Feeds<'_>,
        input: &Input,
        read: &Read,
        rows: std::ops::Range<usize>,
        names: &[String],
    ) -> Result<Table, Error> {
        let place = |name: &String| read.names.iter().position(|known| known == name);
        let chosen: Vec<usize> = if names.is_empty() || read.names.is_empty() {
            let label = self.label_column.as_deref().unwrap_or(LABEL);
            if self.label_column.is_some() && !read.names.iter().any(|name| name == label) {
                return Err(Error::NoColumns {
                    missing: label.into(),
                    known: read.names.join(", "),
                });
            }
            let count = read.rows.first().map_or(0, Vec::len);
            (0..count).filter(|i| read.names.get(*i).is_none_or(|name| name != label)).collect()
        } else {
            let missing: Vec<_> =
                names.iter().filter(|name| place(name).is_none()).cloned().collect();
            if !missing.is_empty() {
                let (missing, known) = (missing.join(", "), read.names.join(", "));
                return Err(Error::NoColumns { missing, known });
            }
            names.iter().filter_map(place).collect()
        };
        let came = chosen.len();
        if read.names.is_empty() && !names.is_empty() && names.len() != came {
            return Err(Error::Names { names: names.len(), what: "columns", count: came });
        }
        let open = input.shape.iter().skip(1).any(Option::is_none);
        let mut shape: Vec<_> = input.shape.iter().skip(1).map(|n| n.unwrap_or(1)).collect();
        if open && shape.len() == 1 {
            shape = vec![came];
        }
        let expected: usize = shape.iter().product();
        if expected != came {
            let columns = if read.names.is_empty() {
                String::new()
            } else {
                format!(" ({})", read.names.join(", "))
            };
            return Err(Error::Features { input: input.name.clone(), expected, came, columns });
        }
        let name = |i: &usize| {
            read.names.get(*i).or(names.get(*i)).cloned().unwrap_or_else(|| format!("feature {i}"))
        };
        let called: Vec<_> = chosen.iter().map(name).collect();
        let picked = |row: &Vec<String>| {
            chosen.iter().filter_map(|i| row.get(*i)).cloned().collect::<Vec<_>>()
        };
        let first = rows.start;
        let rows: Vec<Vec<String>> =
            read.rows.get(rows).unwrap_or_default().iter().map(picked).collect();
        let mut numbers = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let line: Result<Vec<f64>, _> = row
                .iter()
                .zip(&called)
                .map(|(text, name)| number(text, input.elem, first + i, name))
                .collect();
            numbers.push(line?);
        }
        let size = batch(std::slice::from_ref(input))?;
        for chunk in numbers.chunks(size) {
            let shape: Vec<_> = std::iter::once(chunk.len()).chain(shape.iter().copied()).collect();
            let array = ArrayD::from_shape_vec(IxDyn(&shape), chunk.concat());
            // There are as many numbers as features.
            let array = array.map_err(|e| Error::Other(e.to_string()))?;
            feeds.feed_batch(
                chunk.len(),
                vec![(input.name.clone(), Array::of_numbers(&array, input.elem)?)],
            );
        }
        Ok(Table { names: called, rows, first, inputs: vec![input.name.clone()] })
    }
}

/// Each feature goes to the input that is called like its column.
fn each_its_input(
    feeds: &mut Feeds<'_>,
    read: &Read,
    rows: std::ops::Range<usize>,
) -> Result<Table, Error> {
    let inputs = feeds.open.clone();
    if let Some(wide) = inputs.iter().find(|input| input.shape.len() > 1 && width(input) != Some(1))
    {
        return Err(Error::WideInput { input: wide.name.clone() });
    }
    // Converters write a column's name with other signs where it is no identifier.
    let plain = |name: &str| {
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let place = |input: &Input| {
        let same = read.names.iter().position(|name| *name == input.name);
        same.or_else(|| read.names.iter().position(|name| plain(name) == plain(&input.name)))
    };
    let missing: Vec<_> = inputs
        .iter()
        .filter(|input| place(input).is_none())
        .map(|input| input.name.clone())
        .collect();
    if !missing.is_empty() {
        return Err(Error::NoColumns { missing: missing.join(", "), known: read.names.join(", ") });
    }
    let chosen: Vec<_> = inputs.iter().filter_map(place).collect();
    let first = rows.start;
    let picked =
        |row: &Vec<String>| chosen.iter().filter_map(|i| row.get(*i)).cloned().collect::<Vec<_>>();
    let rows: Vec<Vec<String>> =
        read.rows.get(rows).unwrap_or_default().iter().map(picked).collect();
    let names: Vec<_> = chosen.iter().filter_map(|i| read.names.get(*i)).cloned().collect();
    let size = batch(&inputs)?;
    for (start, chunk) in (first..).step_by(size).zip(rows.chunks(size)) {
        let mut arrays = Vec::new();
        for (column, (input, name)) in inputs.iter().zip(&names).enumerate() {
            let cells = || chunk.iter().filter_map(|row| row.get(column));
            let shape =
                if input.shape.len() == 1 { vec![chunk.len()] } else { vec![chunk.len(), 1] };
            // There is a cell for each row.
            let bad = |e: ndarray::ShapeError| Error::Other(e.to_string());
            let array = if input.elem == DataType::String {
                Array::String(
                    ArrayD::from_shape_vec(shape, cells().cloned().collect()).map_err(bad)?,
                )
            } else {
                let numbers =
                    cells().enumerate().map(|(i, text)| number(text, input.elem, start + i, name));
                let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
                Array::of_numbers(
                    &ArrayD::from_shape_vec(shape, numbers).map_err(bad)?,
                    input.elem,
                )?
            };
            arrays.push((input.name.clone(), array));
        }
        feeds.feed_batch(chunk.len(), arrays);
    }
    Ok(Table { names, rows, first, inputs: inputs.into_iter().map(|input| input.name).collect() })
}

/// How many features an input takes, where that is known.
fn width(input: &Input) -> Option<usize> {
    input.shape.iter().skip(1).try_fold(1usize, |n, size| Some(n * (*size)?))
}

/// How many rows inputs take at once.
fn batch(inputs: &[Input]) -> Result<usize, Error> {
    match inputs.iter().find_map(|input| input.shape.first().copied().flatten()) {
        None => Ok(BATCH),
        Some(1) => Ok(1),
        Some(size) => Err(Error::Batch { size }),
    }
}

/// A cell as a number of a type.
fn number(text: &str, elem: DataType, row: usize, column: &str) -> Result<f64, Error> {
    let number = match text.trim() {
        "true" | "True" => Some(1.0),
        "false" | "False" => Some(0.0),
        text => text.parse::<f64>().ok().filter(|number| number.is_finite()),
    };
    let is_float = is_float_type(elem);
    let expected = if is_float { "a number" } else { "a whole number" };
    let number = number.filter(|number| is_float || number.fract() == 0.0);
    number.ok_or_else(|| Error::Cell { row, column: column.into(), expected, came: text.into() })
}

/// Reads a table.
fn read(path: &Path) -> Result<Read, Error> {
    /// More than fits most machines, and less than a header can claim.
    const LONGEST: u64 = 1 << 33;
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
    match extension.as_deref() {
        Some("npy") => of_npy(&Array::read(path)?),
        Some("parquet") => {
            parquet::read(file::read(path, LONGEST).map_err(|e| Error::Other(e.to_string()))?)
        }
        _ => {
            let bytes = file::read(path, LONGEST).map_err(|e| Error::Other(e.to_string()))?;
            let mut reader =
                csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes.as_slice());
            let refuse = |e: csv::Error| Error::Other(e.to_string());
            let names = reader.headers().map_err(refuse)?.iter().map(String::from).collect();
            let rows =
                reader.records().map(|row| row.map(|row| row.iter().map(String::from).collect()));
            Ok(Read { names, rows: rows.collect::<Result<_, _>>().map_err(refuse)? })
        }
    }
}

/// Rows of numbers, or one.
fn of_npy(numbers: &ArrayD<f64>) -> Result<Read, Error> {
    let rows = match numbers.ndim() {
        0 => return Err(Error::NoRows),
        1 => vec![numbers.iter().map(f64::to_string).collect()],
        _ => {
            numbers.axis_iter(Axis(0)).map(|row| row.iter().map(f64::to_string).collect()).collect()
        }
    };
    Ok(Read { names: Vec::new(), rows })
}

impl Table {
    /// The inputs that the features go to.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The relevance of all features in all rows, with an axis of maps between where there are several: that of one input
    /// with its features on one axis, or those of many side by side. An input that no relevance reaches has none, which is 0.
    pub fn relevance(
        &self,
        outputs: &[(String, Array)],
        maps: Option<usize>,
    ) -> Option<ArrayD<f64>> {
        let of = |input: &String| {
            let wanted = format!("{input}_relevance");
            outputs.iter().find(|(name, _)| *name == wanted).map(|(_, array)| array.numbers())
        };
        self.inputs.iter().find_map(of)?;
        let mut shape = vec![self.rows.len()];
        shape.extend(maps);
        let features = self.names.len() / self.inputs.len().max(1);
        let parts: Option<Vec<_>> = self
            .inputs
            .iter()
            .map(|input| {
                let shape: Vec<_> = shape.iter().copied().chain([features]).collect();
                match of(input) {
                    Some(numbers) => {
                        ArrayD::from_shape_vec(IxDyn(&shape), numbers.iter().copied().collect())
                            .ok()
                    }
                    None => Some(ArrayD::zeros(IxDyn(&shape))),
                }
            })
            .collect();
        let parts = parts?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        ndarray::concatenate(Axis(shape.len()), &views).ok()
    }
}
