//! `Einsum`.

use std::collections::BTreeMap;

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, broadcast};
use crate::onnx::attribute::string;

pub(super) const OPERATOR: &dyn Operator = &Einsum;

struct Einsum;

/// An equation: the labels of each operand's axes and of the result's, `.` for the ellipsis.
struct Equation {
    operands: Vec<String>,
    result: String,
}

impl Operator for Einsum {
    fn names(&self) -> &[&'static str] {
        &["Einsum"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["equation"]
    }

    fn arity(&self) -> usize {
        usize::MAX
    }

    fn since(&self, _name: &str) -> i64 {
        12
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let equation = Equation::read(node)?;
        let mut sizes: BTreeMap<char, Dim> = BTreeMap::new();
        let mut batch = Type::new(node.ty(0)?.elem, Vec::new());
        for (operand, labels) in equation.operands.iter().enumerate() {
            let ty = node.ty(operand)?;
            let Some(dims) = &ty.shape else { return Ok(Vec::new()) };
            let named = labels.chars().filter(|&c| c != '.').count();
            let rest = dims.len().checked_sub(named);
            let rest = rest.filter(|&n| n == 0 || labels.contains('.')).ok_or_else(|| {
                Error::Shapes { what: format!("the labels '{labels}' of {} axes", dims.len()) }
            })?;
            let mut dims = dims.iter().copied();
            for label in labels.chars() {
                if label == '.' {
                    let more = Type::new(ty.elem, dims.by_ref().take(rest).collect());
                    let shape = broadcast([&batch, &more]).map_err(|(a, b)| Error::Shapes {
                        what: format!("sizes {a} and {b} do not broadcast"),
                    })?;
                    batch.shape = shape;
                } else if let Some(dim) = dims.next() {
                    let have = sizes.entry(label).or_insert(dim);
                    match (*have, dim) {
                        (Dim::Known(1), _) => *have = dim,
                        (Dim::Known(a), Dim::Known(b)) if a != b && b != 1 => {
                            return Err(Error::Shapes {
                                what: format!("sizes {a} and {b} of '{label}'"),
                            });
                        }
                        (Dim::Symbol(_), Dim::Known(n)) if n != 1 => *have = dim,
                        _ => {}
                    }
                }
            }
        }
        let mut dims = Vec::new();
        for label in equation.result.chars() {
            match (label, sizes.get(&label)) {
                ('.', _) => dims.extend(batch.shape.iter().flatten()),
                (_, Some(&dim)) => dims.push(dim),
                (_, None) => {
                    return Err(Error::Shapes {
                        what: format!("the label '{label}' of no operand"),
                    });
                }
            }
        }
        Ok(vec![Type::new(batch.elem, dims)])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        let operands = node.inputs().len();
        match ((0..operands).filter(|&i| node.is_active(i)).count(), operands) {
            (_, 1) => Ok(Kind::Sum),
            (1, 2) => Ok(Kind::Weighted),
            (2, 2) => Ok(Kind::Product),
            _ => Err(Error::Unsupported { what: format!("Einsum of {operands} operands") }),
        }
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let Ok(equation) = Equation::read(node) else { return 0.0 };
        let mut sizes: BTreeMap<char, f64> = BTreeMap::new();
        for (operand, labels) in equation.operands.iter().enumerate() {
            let dims = node.ty(operand).ok().and_then(|ty| ty.shape.clone()).unwrap_or_default();
            if !labels.contains('.') {
                let known = dims.iter().map(|d| d.known().map_or(1.0, |n| n as f64));
                sizes.extend(labels.chars().zip(known));
            }
        }
        sizes.values().product()
    }

    /// The sum over all labels but the operand's own, with `s` in its place.
    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let equation = Equation::read(call.node)?;
        let x = call.x(wrt)?;
        let mut own: Vec<char> = equation.operands[wrt].chars().collect();
        let mut factors = vec![(equation.result.clone(), s)];
        for i in (0..equation.operands.len()).filter(|&i| i != wrt) {
            factors.push((equation.operands[i].clone(), call.x(i)?));
        }
        // A label that comes again is that of a diagonal: beside it there is nothing.
        for i in 1..own.len() {
            let (label, rank) = (own[i], x.rank()?);
            if own[..i].contains(&label) {
                let axis = if own[..i].contains(&'.') { rank + i - own.len() } else { i };
                own[i] = equation.unused(&own)?;
                let diagonal = x.identity_along(axis, s.ty().elem)?;
                factors.push((format!("{label}{}", own[i]), diagonal));
            }
        }
        let found = |label: char| factors.iter().any(|(labels, _)| labels.contains(label));
        // What was summed over by this operand alone comes back everywhere alike.
        let kept: String = own.iter().filter(|&&label| found(label)).collect();
        let lost: Vec<_> = (0..own.len()).filter(|&i| !found(own[i])).collect();
        if own.contains(&'.') && (!equation.result.contains('.') || !lost.is_empty()) {
            return Err(Error::Unsupported { what: "Einsum that sums over its ellipsis".into() });
        }
        let written = |labels: &str| labels.replace('.', "...");
        let (terms, operands): (Vec<_>, Vec<_>) =
            factors.iter().map(|(labels, x)| (written(labels), Some(*x))).unzip();
        // An ellipsis that this operand lacks, or has with other sizes, is summed over afterwards.
        let wide = equation.result.contains('.') && !own.contains(&'.');
        let target = if wide { format!("...{}", written(&kept)) } else { written(&kept) };
        let text = string("equation", &format!("{}->{target}", terms.join(",")));
        let out = call.emitter().emit("Einsum", &operands, vec![text]);
        if !lost.is_empty() {
            return Ok(out.unsqueeze(&lost).expand_like(x));
        }
        if wide || own.contains(&'.') { out.sum_to(x) } else { Ok(out) }
    }
}

impl Equation {
    /// A letter that is no label yet, nor one of these.
    fn unused(&self, labels: &[char]) -> Result<char, Error> {
        let known = |letter: &char| {
            labels.contains(letter) || self.operands.iter().any(|labels| labels.contains(*letter))
        };
        let letter = ('a'..='z').chain('A'..='Z').find(|letter| !known(letter));
        letter.ok_or_else(|| Error::Unsupported { what: "Einsum of all letters".into() })
    }

    fn read(node: NodeRef) -> Result<Self, Error> {
        let text = node.string("equation", "")?.replace(' ', "").replace("...", ".");
        let bad = || Error::Attribute { name: "equation".into(), what: format!("is '{text}'") };
        let (left, right) = text.split_once("->").map_or((&*text, None), |(l, r)| (l, Some(r)));
        let operands: Vec<_> = left.split(',').map(String::from).collect();
        let letters = |labels: &str| {
            labels.chars().all(|c| c == '.' || c.is_ascii_alphabetic())
                && labels.matches('.').count() <= 1
        };
        if operands.len() != node.inputs().len() || !operands.iter().all(|o| letters(o)) {
            return Err(bad());
        }
        let result = match right {
            Some(result) if letters(result) => result.to_string(),
            Some(_) => return Err(bad()),
            // What stands once, in the order of the alphabet, behind the ellipsis.
            None => {
                let mut once: Vec<char> = left
                    .chars()
                    .filter(|c| c.is_ascii_alphabetic() && left.matches(*c).count() == 1)
                    .collect();
                once.sort_unstable();
                let dots = if left.contains('.') { "." } else { "" };
                format!("{dots}{}", once.into_iter().collect::<String>())
            }
        };
        Ok(Self { operands, result })
    }
}
