//! Parquet files, by the crate `parquet`.

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

use super::{Error, caught, table::Read};

/// Reads a table.
pub fn read(bytes: Vec<u8>) -> Result<Read, Error> {
    let damaged = || Error::Other("no Parquet file that can be read: it is damaged".into());
    caught(|| table(bytes.into())).unwrap_or_else(|| Err(damaged()))
}

fn table(bytes: Bytes) -> Result<Read, Error> {
    let refuse = |e: ParquetError| Error::Other(format!("no Parquet file that can be read: {e}"));
    let reader = SerializedFileReader::new(bytes).map_err(refuse)?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    // pandas keeps its index as a column.
    let kept: Vec<_> =
        fields.iter().map(|field| !field.name().starts_with("__index_level_")).collect();
    let keep = |place: usize| kept.get(place).copied().unwrap_or(false);
    let names =
        fields.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, field)| field.name().into());
    let names = names.collect();
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None).map_err(refuse)? {
        let row = row.map_err(refuse)?;
        let cells = row.get_column_iter().enumerate().filter(|(i, _)| keep(*i));
        rows.push(cells.map(|(_, (_, field))| text(field)).collect());
    }
    Ok(Read { names, rows })
}

/// A cell as it is written in a CSV file.
fn text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Float(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        other => other.to_string(),
    }
}
