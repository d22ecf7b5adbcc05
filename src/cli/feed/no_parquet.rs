//! What stands in for `parquet.rs` where the feature `parquet` is off.

use super::{Error, table::Read};

/// There is none.
pub fn read(_bytes: Vec<u8>) -> Result<Read, Error> {
    Err(Error::NoParquet)
}
