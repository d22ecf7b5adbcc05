//! `AffineGrid`: the places of an image, or of a volume, as a matrix moves them (Jaderberg et al. 2015).

use super::Contrib;
use crate::{
    ir::{Emitter, Error, Expr},
    onnx::DataType,
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "AffineGrid")],
    since: Some(20),
    body: |call| {
        let (theta, size) = (call.x(0)?, call.x(1)?);
        let (emitter, elem) = (call.emitter, theta.ty().elem);
        let at_elements = call.int("align_corners", 0)? != 0;
        let sizes: Option<Vec<i64>> = {
            let (value, graph) = (size.value(), emitter.graph());
            let known = graph.facts(value).ints();
            known.and_then(|sizes| sizes.iter().map(|dim| dim.known()).collect())
        };
        let sizes = sizes.ok_or(Error::Unknown { what: "the size of the grid".into() })?;
        let Some(spatial) = sizes.get(2..).filter(|axes| matches!(axes.len(), 2 | 3)) else {
            return Err(Error::Shapes { what: format!("a grid of {} axes", sizes.len()) });
        };
        if let Some(size) = spatial.iter().find(|&&size| size < 1) {
            return Err(Error::Shapes { what: format!("a grid with an axis of size {size}") });
        }
        // The last axis comes first, and 1 in the end, which a matrix shifts by.
        let mut places = Vec::new();
        for axis in (0..spatial.len()).rev() {
            places.push(along(emitter, elem, spatial, axis, at_elements)?);
        }
        places.push(emitter.scalar(elem, 1.0).expand_to(emitter.ints(&[spatial, &[1]].concat())));
        let places = Expr::concat(&places, spatial.len()).unwrap_or(theta);
        let flat = places.reshape(&[-1, spatial.len() as i64 + 1]);
        let grid = flat.matmul(theta.matrix_transpose()?);
        let shape = [&[0], spatial, &[spatial.len() as i64]].concat();
        Ok(vec![Some(grid.reshape(&shape))])
    },
};

/// The places along an axis, for each element of the grid, `[…, 1]`: from −1 to 1, which are the first and the last
/// element, or their edges.
fn along<'e>(
    emitter: &'e Emitter,
    elem: DataType,
    spatial: &[i64],
    axis: usize,
    at_elements: bool,
) -> Result<Expr<'e>, Error> {
    let size = spatial[axis];
    let (first, step) = match at_elements {
        true => (-1.0, 2.0 / (size - 1).max(1) as f64),
        false => (1.0 / size.max(1) as f64 - 1.0, 2.0 / size.max(1) as f64),
    };
    let counted = emitter.counted(size)?.cast(elem);
    let mut shape = vec![1; spatial.len() + 1];
    shape[axis] = size;
    let places = (counted * step + first).reshape(&shape);
    Ok(places.expand_to(emitter.ints(&[spatial, &[1]].concat())))
}
