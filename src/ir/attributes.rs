//! The attributes of a node, read with their types checked.

use super::Error;
use crate::onnx::schema::{AttributeProto, attribute_proto::AttributeType};

/// The attributes of a node. A hostile file can give any of them any type, so that each is read as what
/// its operator's definition says, or refused.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(pub &'a [AttributeProto]);

impl<'a> Attributes<'a> {
    /// The attribute of that name.
    pub fn get(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.iter().find(|a| a.name() == name)
    }

    fn typed(self, name: &str, wanted: AttributeType) -> Result<Option<&'a AttributeProto>, Error> {
        let Some(attribute) = self.get(name) else { return Ok(None) };
        match attribute.r#type() {
            // Files of IR version 1 leave the type out.
            AttributeType::Undefined => Ok(Some(attribute)),
            found if found == wanted => Ok(Some(attribute)),
            found => Err(Error::Attribute {
                name: name.to_string(),
                what: format!("is {}, not {}", found.as_str_name(), wanted.as_str_name()),
            }),
        }
    }

    /// An integer, if the attribute is there.
    pub fn int(self, name: &str) -> Result<Option<i64>, Error> {
        Ok(self.typed(name, AttributeType::Int)?.map(|a| a.i()))
    }

    /// A float, if the attribute is there.
    pub fn float(self, name: &str) -> Result<Option<f32>, Error> {
        Ok(self.typed(name, AttributeType::Float)?.map(|a| a.f()))
    }

    /// A text, if the attribute is there.
    pub fn string(self, name: &str) -> Result<Option<&'a str>, Error> {
        let Some(attribute) = self.typed(name, AttributeType::String)? else { return Ok(None) };
        let no_text = |_| Error::Attribute { name: name.to_string(), what: "is no text".into() };
        std::str::from_utf8(attribute.s()).map(Some).map_err(no_text)
    }

    /// A list of integers, if the attribute is there.
    pub fn ints(self, name: &str) -> Result<Option<&'a [i64]>, Error> {
        Ok(self.typed(name, AttributeType::Ints)?.map(|a| a.ints.as_slice()))
    }

    /// A list of floats, if the attribute is there.
    pub fn floats(self, name: &str) -> Result<Option<&'a [f32]>, Error> {
        Ok(self.typed(name, AttributeType::Floats)?.map(|a| a.floats.as_slice()))
    }
}
