//! An operator applied to operands, or a group of nodes as if it were one: what units compute.

use std::{collections::BTreeMap, sync::Arc};

use super::{Detached, Emitter, Error, Expr, Kind, NodeIndex, NodeRef, Operator, Role, Value};

/// Nodes that are one function of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they are a function of: an activation, and the constants that are parameters.
    pub operands: Vec<Value>,
    /// What the operands behind the first are.
    pub roles: Vec<Role>,
    /// The nodes, in order of execution; the result is the last one's.
    pub members: Vec<NodeIndex>,
}

/// An operator applied to operands under construction.
#[derive(Clone)]
pub struct Call<'g, 'e> {
    /// The node whose attributes and types count.
    pub node: NodeRef<'g>,
    operator: &'static dyn Operator,
    group: Option<Arc<Group>>,
    emitter: &'e Emitter,
    operands: Vec<Option<Operand<'e>>>,
    output: Operand<'e>,
    detached: Detached,
}

#[derive(Clone, Copy)]
enum Operand<'e> {
    /// A value of the source.
    Source(Value),
    /// What stands in its place.
    Substitute(Expr<'e>),
}

impl<'g, 'e> Call<'g, 'e> {
    /// The call that `node` is in the source; `output` is its result, or that of the layer it
    /// stands for. With a group, the call of that, which ends at `node`.
    pub fn new(
        node: NodeRef<'g>,
        operator: &'static dyn Operator,
        group: Option<Arc<Group>>,
        emitter: &'e Emitter,
        output: Value,
    ) -> Self {
        let of_node = || node.inputs();
        let operands =
            group.as_ref().map_or_else(of_node, |g| g.operands.iter().copied().map(Some).collect());
        let operands = operands.into_iter().map(|v| v.map(Operand::Source)).collect();
        let (output, detached) = (Operand::Source(output), Detached::Nothing);
        Self { node, operator, group, emitter, operands, output, detached }
    }

    /// The same call, whose adjoint takes some statistics for constants.
    #[must_use]
    pub fn detach(self, detached: Detached) -> Self {
        Self { detached, ..self }
    }

    /// What its adjoint takes for constants.
    pub fn detached(&self) -> Detached {
        self.detached
    }

    /// The same call with its result computed on the operands that it has now.
    pub fn recomputed(self) -> Result<Self, Error> {
        Ok(Self { output: Operand::Substitute(self.forward()?), ..self })
    }

    /// The same call with another operand.
    #[must_use]
    pub fn with(mut self, operand: usize, expr: Option<Expr<'e>>) -> Self {
        if operand >= self.operands.len() {
            self.operands.resize(operand + 1, None);
        }
        self.operands[operand] = expr.map(Operand::Substitute);
        self
    }

    /// The builder.
    pub fn emitter(&self) -> &'e Emitter {
        self.emitter
    }

    /// An operand in the precision of relevance, if it is given.
    pub fn get(&self, operand: usize) -> Option<Expr<'e>> {
        Some(self.real((*self.operands.get(operand)?)?))
    }

    fn real(&self, operand: Operand<'e>) -> Expr<'e> {
        match operand {
            Operand::Source(value) => self.emitter.real(value),
            Operand::Substitute(expr) => expr,
        }
    }

    /// The number of places for operands, given or not.
    pub fn arity(&self) -> usize {
        self.operands.len()
    }

    /// An operand that the operator cannot do without.
    pub fn x(&self, operand: usize) -> Result<Expr<'e>, Error> {
        self.get(operand).ok_or(Error::Operand { operand, what: "is missing".into() })
    }

    /// An operand as it is: an index, a shape, a condition, a type.
    pub fn raw(&self, operand: usize) -> Result<Expr<'e>, Error> {
        match self.operands.get(operand).copied().flatten() {
            Some(Operand::Source(value)) => Ok(self.emitter.value(value)),
            Some(Operand::Substitute(expr)) => Ok(expr),
            None => Err(Error::Operand { operand, what: "is missing".into() }),
        }
    }

    /// What the subgraphs of the node capture, in order.
    pub fn captured(&self) -> Vec<Expr<'e>> {
        let values = self.node.graph().captured(self.node.index());
        values.into_iter().map(|v| self.emitter.value(v)).collect()
    }

    /// The result, that of the source unless it is [`recomputed`](Self::recomputed), in the precision of
    /// relevance.
    pub fn y(&self) -> Expr<'e> {
        self.real(self.output)
    }

    /// The operation on these operands.
    pub fn forward(&self) -> Result<Expr<'e>, Error> {
        let Some(group) = &self.group else { return self.operator.forward(self) };
        let computed = self.replay(group)?;
        // Every member was computed, the last among them.
        Ok(computed.get(&Value { node: self.node.index(), slot: 0 }).copied().unwrap_or(self.y()))
    }

    /// `Σ_i |x_i ∂y/∂x_i|` at these operands.
    pub fn magnitudes(&self) -> Result<Expr<'e>, Error> {
        self.operator.magnitudes(self)
    }

    /// The same call on the magnitudes of its activations, without what is added by constants.
    pub fn magnified(&self) -> Self {
        let mut magnified = self.clone();
        for operand in (0..self.arity()).filter(|&i| self.operator.flows(self.node, i)) {
            let Some(x) = self.get(operand) else { continue };
            let magnitude = match self.operator.role(operand) {
                _ if self.node.is_active(operand) => Some(x.abs()),
                Some(Role::Bias) => None,
                _ => Some(self.emitter.zeros_like(x.ty().elem, x)),
            };
            magnified = magnified.with(operand, magnitude);
        }
        magnified
    }

    /// The adjoint at these operands.
    pub fn adjoint(&self, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        self.adjoint_of_all(wrt, &[Some(s)])
    }

    /// The adjoint at these operands, from the results that `s` has something for.
    pub fn adjoint_of_all(&self, wrt: usize, s: &[Option<Expr<'e>>]) -> Result<Expr<'e>, Error> {
        self.emitter.afford()?;
        let gradient = match (&self.group, s) {
            (Some(group), &[Some(s), ..]) => self.through(group, wrt, s)?,
            _ => self.operator.adjoint_of_all(self, wrt, s)?,
        };
        // It has the operand's shape by definition, which says more than inference can.
        let elem = gradient.ty().elem;
        gradient.known_as(self.raw(wrt)?.ty().with(elem))
    }

    /// The node again, on these operands.
    pub fn repeat(&self) -> Result<Expr<'e>, Error> {
        let floating = |operand: usize| {
            self.node.input(operand).is_none_or(|v| self.node.graph().ty(v).is_float())
        };
        let inputs: Vec<_> = (0..self.operands.len())
            .map(|i| if floating(i) { self.get(i) } else { self.raw(i).ok() })
            .collect();
        let op_type = self.op_type()?;
        Ok(self.emitter.emit(op_type, &inputs, self.node.attributes().to_vec()))
    }

    /// The other operand of an operation of `x` and a constant.
    pub fn beside(&self, x: Value) -> Result<Expr<'e>, Error> {
        self.x(usize::from(self.node.input(0) == Some(x)))
    }

    /// The operator's name.
    pub fn op_type(&self) -> Result<&'static str, Error> {
        let name = self.node.op_type();
        let known = self.operator.names().iter().copied().find(|known| *known == name);
        known.ok_or_else(|| Error::Unsupported { what: format!("the operator {name}") })
    }

    /// What stands in the place of the operands of a group.
    fn replaced(&self, group: &Group) -> BTreeMap<Value, Expr<'e>> {
        let pairs = group.operands.iter().zip(&self.operands);
        let given = |(&value, operand): (&Value, &Option<Operand<'e>>)| match operand {
            Some(Operand::Substitute(expr)) => Some((value, *expr)),
            _ => None,
        };
        pairs.filter_map(given).collect()
    }

    /// The values of a group's members, computed again.
    fn replay(&self, group: &Group) -> Result<BTreeMap<Value, Expr<'e>>, Error> {
        let mut values = self.replaced(group);
        for &member in &group.members {
            let y = self.member(member, &values)?.forward()?;
            values.insert(Value { node: member, slot: 0 }, y);
        }
        Ok(values)
    }

    /// A member as a call, with `values` in the place of those of the source.
    fn member(&self, node: NodeIndex, values: &BTreeMap<Value, Expr<'e>>) -> Result<Self, Error> {
        let view = self.node.graph().node(node);
        let what = || Error::Unsupported { what: format!("the operator {}", view.operator_name()) };
        let operator = view.operator().ok_or_else(what)?;
        let output = Value { node, slot: 0 };
        let mut call = Self::new(view, operator, None, self.emitter, output).detach(self.detached);
        for operand in call.operands.iter_mut().flatten().chain([&mut call.output]) {
            if let Operand::Source(value) = *operand
                && let Some(&expr) = values.get(&value)
            {
                *operand = Operand::Substitute(expr);
            }
        }
        Ok(call)
    }

    /// Whether a member of a group is a statistic that counts as constant. Of those of a normalisation, only
    /// the mean that is subtracted is of the activation itself.
    fn detaches(&self, member: &Self, of_activation: bool) -> bool {
        let kept = match self.detached {
            Detached::Nothing => true,
            Detached::Divisor => of_activation,
            Detached::Statistics => false,
        };
        let reduces = || member.node.output().shape != self.node.output().shape;
        !kept && matches!(member.operator.kind(member.node), Ok(Kind::Sum)) && reduces()
    }

    /// The chain rule through a group.
    fn through(&self, group: &Group, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let changed = !self.replaced(group).is_empty();
        let values = if changed { self.replay(group)? } else { BTreeMap::new() };
        let target = group.operands[wrt];
        let mut gradients = BTreeMap::from([(Value { node: self.node.index(), slot: 0 }, s)]);
        for &member in group.members.iter().rev() {
            let Some(s) = gradients.remove(&Value { node: member, slot: 0 }) else { continue };
            let call = self.member(member, &values)?;
            for (operand, value) in call.node.inputs().into_iter().enumerate() {
                let Some(value) = value else { continue };
                let inner = value == target || group.members.contains(&value.node);
                if inner
                    && call.operator.flows(call.node, operand)
                    && !self.detaches(&call, value == target)
                {
                    let g = call.adjoint(operand, s)?;
                    let sum = gradients.get(&value).map_or(g, |&sum| sum + g);
                    gradients.insert(value, sum);
                }
            }
        }
        let nothing = || Error::Unsupported { what: "a group that nothing flows through".into() };
        gradients.remove(&target).ok_or_else(nothing)
    }
}
