//! Inputs that are taken for constants, as arrays of the types that the file declares.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    ir::{Array, Dim, Type},
    onnx::{
        DataType, Model,
        schema::{ValueInfoProto, tensor_shape_proto::dimension, type_proto},
    },
    options::Setting,
};

/// The most elements that an input is set to: as many as are known of constants.
const MOST: usize = 64;

/// What inputs hold that are taken for constants, by name.
pub fn set<'s>(model: &Model, settings: &'s [Setting]) -> Result<BTreeMap<&'s str, Array>, Error> {
    let array = |setting: &'s Setting| {
        let graph = model.graph();
        let named = |name: &str| name == setting.name;
        if graph.initializer.iter().any(|tensor| named(tensor.name())) {
            return Err("it has a default, which is changed in the file");
        }
        let input = graph.input.iter().find(|input| named(input.name()));
        let (elem, sizes) = declared(input.ok_or("the model has no such input")?)
            .ok_or("the file does not say how many axes it has")?;
        let shape = setting.shape(&sizes).filter(|shape| shape.iter().product::<usize>() <= MOST);
        let shape = shape.ok_or("its shape is another, is open, or has more than 64 elements")?;
        let values = setting.elements(shape.iter().product());
        if (Type { elem, shape: None }).is_float() {
            return Array::of_floats(&shape, values).ok_or("its shape is another");
        }
        // Others would not be what they are as 64-bit integers.
        let whole = |v: &f64| v.fract().abs() <= 0.0 && v.abs() < 2f64.powi(53);
        if !values.iter().all(whole) {
            return Err("it holds whole numbers");
        }
        let ints = values.iter().map(|&v| Dim::Known(v as i64)).collect();
        Array::of_ints(&shape, ints).ok_or("its shape is another")
    };
    let mut set = BTreeMap::new();
    for setting in settings {
        let array = array(setting).map_err(|what| Error::Setting {
            name: setting.name.clone(),
            values: setting.values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            what: what.into(),
        })?;
        set.insert(setting.name.as_str(), array);
    }
    Ok(set)
}

/// The type that the file declares of an input, with the sizes that it states.
fn declared(input: &ValueInfoProto) -> Option<(DataType, Vec<Option<usize>>)> {
    let Some(type_proto::Value::TensorType(tensor)) = &input.r#type.as_ref()?.value else {
        return None;
    };
    let elem = DataType::try_from(tensor.elem_type()).ok()?;
    let sizes = tensor.shape.as_ref()?.dim.iter().map(|dim| match dim.value {
        Some(dimension::Value::DimValue(n)) => usize::try_from(n).ok(),
        _ => None,
    });
    Some((elem, sizes.collect()))
}
