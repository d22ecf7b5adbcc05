//! Element types by their short names.

use super::DataType;

impl DataType {
    /// The type, short: `f32`, `i64`.
    pub fn short_name(self) -> String {
        let name = self.as_str_name().to_ascii_lowercase();
        match self {
            Self::Undefined => "?".into(),
            Self::Float => "f32".into(),
            Self::Double => "f64".into(),
            Self::Float16 => "f16".into(),
            Self::Bfloat16 => "bf16".into(),
            Self::Bool | Self::String => name,
            _ => name.replace("uint", "u").replace("int", "i"),
        }
    }
}
