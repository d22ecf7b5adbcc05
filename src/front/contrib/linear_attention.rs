//! `LinearAttention`: attention whose past is a matrix `S`, to which each token adds an outer product of its key and
//! its value (Katharopoulos et al. 2020), and which may decay (Yang et al. 2024) or be corrected by what it has for
//! the key already (the delta rule; Schlag et al. 2021).

use super::{Contrib, scaled_dot_product::size};
use crate::ir::{Along, Error, Expr};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "LinearAttention")],
    since: Some(27),
    body: |call| {
        let (q, k, v) = (call.x(0)?, call.x(1)?, call.x(2)?);
        let (heads, shared) = (call.int("q_num_heads", 0)?, call.int("kv_num_heads", 0)?);
        if shared < 1 || heads < 1 || heads % shared != 0 {
            let what = format!("{heads} heads of queries and {shared} of keys");
            return Err(Error::Shapes { what });
        }
        let rule = call.attribute("update_rule").string("update_rule")?.unwrap_or("gated_delta");
        let (decays, corrects) = match rule {
            "linear" => (false, false),
            "gated" => (true, false),
            "delta" => (false, true),
            "gated_delta" => (true, true),
            _ => {
                let what = format!("is {rule:?}");
                return Err(Error::Attribute { name: "update_rule".into(), what });
            }
        };
        // How it is computed, not what.
        call.int("chunk_size", 64)?;
        let (queries, values) =
            (size(q, 2, "the size of queries")?, size(v, 2, "the size of values")?);
        if queries % heads != 0 || values % shared != 0 {
            let what = format!("{heads} heads of {queries} features, and {shared} of {values}");
            return Err(Error::Shapes { what });
        }
        let (of_key, of_value) = (queries / heads, values / shared);
        let scale = call.scale()?.unwrap_or(1.0 / (of_key as f64).sqrt());
        // Tokens along axis 1, heads of keys along axis 2, those of queries that share one along axis 3.
        let q = (q * scale).reshape(&[0, 0, shared, heads / shared, of_key]);
        let k = k.reshape(&[0, 0, shared, of_key, 1]);
        let v = v.reshape(&[0, 0, shared, 1, of_value]);
        let mut tokens = vec![q, k, v];
        if decays {
            tokens.push(call.x(4)?.reshape(&[0, 0, shared, -1, 1]).exp());
        }
        if corrects {
            let beta = call.x(5)?;
            let heads = size(beta, 2, "the number of update rates")?;
            tokens.push(beta.reshape(&[0, 0, heads, 1, 1]));
        }
        let start = match call.get(3) {
            Some(past) => past,
            None => {
                let shape = [k.size(0), call.emitter.ints(&[shared, of_key, of_value])];
                let zero = call.emitter.scalar(k.ty().elem, 0.0);
                Expr::listed(&shape).map_or(zero, |shape| zero.expand_to(shape))
            }
        };
        let token = Along { axis: 1, backwards: false };
        let scanned: Vec<_> = tokens.into_iter().map(|part| (part, token)).collect();
        let results = call.emitter.scan(&[start], &scanned, &[token], |states, parts| {
            let (q, k, mut v) = (parts[0], parts[1], parts[2]);
            let mut state = states[0];
            if decays {
                state = state * parts[3];
            }
            if let (true, Some(&rate)) = (corrects, parts.last()) {
                v = rate * (v - k.transpose(&[0, 1, 3, 2]).matmul(state));
            }
            state = state + k * v;
            Ok(vec![state, q.matmul(state)])
        })?;
        let [state, y] = results[..] else {
            return Err(Error::Unknown { what: "the state".into() });
        };
        Ok(vec![Some(y.reshape(&[0, 0, heads * of_value])), Some(state)])
    },
};
