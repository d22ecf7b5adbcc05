//! `DeformConv`: a convolution whose kernel takes its elements from places that are computed (Dai et al. 2017), and
//! weighs them by a mask (Zhu et al. 2019).

use super::{
    sampling::{Beyond, Interpolation, Samples},
    window::{Window, groups},
};
use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Role, Type};

pub(super) const OPERATOR: &dyn Operator = &DeformConv;

struct DeformConv;

const OFFSET: usize = 2;
const MASK: usize = 4;

/// The most elements that a kernel has.
const MOST: i64 = 1 << 8;

impl Operator for DeformConv {
    fn names(&self) -> &[&'static str] {
        &["DeformConv"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["dilations", "group", "kernel_shape", "offset_group", "pads", "strides"]
    }

    fn arity(&self) -> usize {
        5
    }

    fn since(&self, _name: &str) -> i64 {
        19
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        groups(node, node.ty(0)?.dim(1), node.ty(1)?.dim(1))?;
        let features = node.ty(1)?.dim(0).unwrap_or(Dim::Unknown);
        let types = window(node)?.output(node.ty(0)?, features);
        // There is an offset, and a mask, for each place of the output.
        let places = types.first().and_then(|ty| ty.shape.as_ref()).and_then(|dims| dims.get(2..));
        for operand in [OFFSET, MASK].into_iter().filter(|&operand| node.input(operand).is_some()) {
            let dims = node.ty(operand)?.shape.iter().flatten().skip(2);
            if places.into_iter().flatten().zip(dims).any(|(a, b)| a.differs(*b)) {
                let what = format!("operand {operand} for other places than the output has");
                return Err(Error::Shapes { what });
            }
        }
        Ok(types)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if node.rank(0)? != 4 {
            return Err(Error::Unsupported { what: "DeformConv along other than two axes".into() });
        }
        if node.is_active(1) || node.is_active(3) || !node.is_active(0) {
            let what = "DeformConv of constant data, or with computed weights,";
            return Err(Error::Unsupported { what: what.into() });
        }
        // Adjoints are written once for each.
        let elements = window(node)?.count();
        if elements > MOST {
            let what = format!("DeformConv with a kernel of {elements} elements");
            return Err(Error::Unsupported { what });
        }
        // The twin with positive weights has positive contributions alone, unless a mask turns them.
        let mask = node.input(MASK);
        Ok(match mask.is_none_or(|mask| node.graph().facts(mask).non_negative) {
            true => Kind::Weighted,
            false => Kind::Sum,
        })
    }

    fn role(&self, operand: usize) -> Option<Role> {
        match operand {
            1 => Some(Role::Weight),
            3 => Some(Role::Bias),
            _ => None,
        }
    }

    fn steers(&self, _node: NodeRef, operand: usize) -> bool {
        matches!(operand, OFFSET | MASK)
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let Ok(w) = node.ty(1) else { return 0.0 };
        node.output().least_count() * w.least_count()
            / w.dim(0).and_then(Dim::known).map_or(1.0, |n| n as f64)
    }

    /// Element by element of the kernel: what each asks of its samples goes back to where they were taken, to the
    /// places or to the mask.
    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let deformed = Deformed::new(call)?;
        let mut data = s.emitter().zeros_like(s.ty().elem, deformed.x).reshape(&[0, 0, -1]);
        let mut parts = Vec::new();
        for element in 0..deformed.window.count() as usize {
            let samples = deformed.samples(element)?;
            let asked = deformed.asked(call.x(1)?, element, s)?;
            let masked = match deformed.mask(element) {
                Some(mask) if wrt != MASK => asked * mask.unsqueeze(&[1]),
                _ => asked,
            };
            match wrt {
                0 => data = samples.put_onto(masked, data)?,
                MASK => {
                    let taken = samples.taken(deformed.x, masked)?;
                    parts.push((masked * taken).sum(&[1], true));
                }
                _ => {
                    let gains = samples.gain(masked, deformed.x)?.into_iter();
                    parts.extend(gains.map(|gain| gain.unsqueeze(&[1])));
                }
            }
        }
        let joined = if wrt == 0 { Some(data) } else { Expr::concat(&parts, 1) };
        Ok(joined.unwrap_or(data).reshape_like(call.raw(wrt)?))
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let mut magnified = call.clone().with(3, None);
        for operand in [0, 1, MASK] {
            magnified = magnified.with(operand, call.get(operand).map(Expr::abs));
        }
        magnified.forward()
    }
}

fn window(node: NodeRef) -> Result<Window, Error> {
    Window::new(node, super::window::kernel(node)?)
}

/// The operands, with groups of channels that have places of their own as samples of a batch.
struct Deformed<'e> {
    window: Window,
    /// `[batch · groups, channels / groups, …]`
    x: Expr<'e>,
    /// `[batch · groups, elements · 2, places]`
    offset: Expr<'e>,
    /// `[batch · groups, elements, places]`
    mask: Option<Expr<'e>>,
    offset_groups: i64,
    groups: i64,
    channels: i64,
    features: i64,
    /// Where windows begin along each axis, `[1, places]`.
    begin: Vec<Expr<'e>>,
}

impl<'e> Deformed<'e> {
    fn new(call: &Call<'_, 'e>) -> Result<Self, Error> {
        let (node, x, offset, y) = (call.node, call.x(0)?, call.x(OFFSET)?, call.y());
        let window = window(node)?;
        let offset_groups = node.int("offset_group", 1)?;
        let known = |v: Expr<'e>, axis| v.ty().dim(axis).and_then(Dim::known);
        let (Some(channels), Some(features)) = (known(x, 1), known(call.x(1)?, 0)) else {
            return Err(Error::Unknown { what: "the number of channels".into() });
        };
        if offset_groups < 1 || channels % offset_groups != 0 {
            let what = format!("{offset_groups} groups of {channels} channels");
            return Err(Error::Shapes { what });
        }
        let groups = node.int("group", 1)?;
        let elements = window.count();
        // What belongs to a sample of the batch and a group, in one axis.
        let sizes = (2..4).map(|axis| x.size(axis));
        let each = call.emitter().ints(&[-1, channels / offset_groups]);
        let sizes: Vec<_> = std::iter::once(each).chain(sizes).collect();
        let apart = x.reshape_to(Expr::listed(&sizes).unwrap_or(each));
        let places = |v: Expr<'e>, each: i64| {
            let list = call.emitter().ints(&[-1, each]);
            let count = y.size(2) * y.size(3);
            v.reshape_to(Expr::listed(&[list, count]).unwrap_or(list))
        };
        let elem = x.ty().elem;
        let mut begin = Vec::new();
        for axis in 0..2 {
            let steps = call.emitter().positions(y, axis + 2)?.cast(elem);
            let first = steps * window.strides[axis] as f64 - window.before[axis] as f64;
            let all = first + y.part(0, 0, 1).part(1, 0, 1) * 0.0;
            begin.push(all.reshape(&[1, -1]));
        }
        Ok(Self {
            x: apart,
            offset: places(offset.cast(elem), 2 * elements),
            mask: call.get(MASK).map(|mask| places(mask.cast(elem), elements)),
            window,
            offset_groups,
            groups,
            channels,
            features,
            begin,
        })
    }

    /// Where an element of the kernel takes its samples.
    fn samples(&self, element: usize) -> Result<Samples<'e>, Error> {
        let width = self.window.kernel[1] as usize;
        let within = [element / width, element % width];
        let place = |axis: usize| {
            let at = 2 * element + axis;
            let offset = self.offset.part(1, at as i64, at as i64 + 1).squeeze(1);
            let from_begin = (within[axis] as i64 * self.window.dilations[axis]) as f64;
            offset + (self.begin[axis] + from_begin)
        };
        let places = [place(0), place(1)];
        Samples::new(self.x, &places, Interpolation::Linear, Beyond::Zeros)
    }

    /// What the mask says of an element of the kernel.
    fn mask(&self, element: usize) -> Option<Expr<'e>> {
        let at = element as i64;
        Some(self.mask?.part(1, at, at + 1).squeeze(1))
    }

    /// `Wᵀ s` for an element of the kernel, `[batch · groups, channels / groups, places]`.
    fn asked(&self, w: Expr<'e>, element: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let (groups, channels, features) = (self.groups, self.channels, self.features);
        let weights = w.reshape(&[groups, features / groups, channels / groups, -1]);
        let weights = weights.part(3, element as i64, element as i64 + 1).squeeze(3);
        let s = s.reshape(&[0, groups, features / groups, -1]);
        let asked = weights.matrix_transpose()?.matmul(s);
        let places = asked.size(3);
        let each = s.emitter().ints(&[-1, channels / self.offset_groups]);
        Ok(asked.reshape_to(Expr::listed(&[each, places]).unwrap_or(each)))
    }
}
