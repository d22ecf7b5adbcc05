//! What a model predicts, in words.

use std::fmt::Write;

use abslrp::onnx::shown::{Escaped, Shown};
use ndarray::ArrayD;
use serde_json::json;

use super::{feed::text::Text, labels::Labels};
use crate::show::{html, number};

/// What an output says.
pub struct Prediction {
    /// The output.
    pub output: String,
    /// Of which part of the data it is said, where that is one part among others.
    of: Option<String>,
    /// The largest scores with what they are scores of, the largest first. The name of one that stands alone is empty.
    pub best: Vec<(usize, String, f64)>,
}

/// How many scores are shown.
const FEW: usize = 5;

impl Prediction {
    fn new(
        output: &str,
        of: Option<String>,
        scores: &[f64],
        name: impl Fn(usize) -> String,
        few: usize,
    ) -> Self {
        let mut order: Vec<_> = scores.iter().copied().enumerate().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        order.truncate(few);
        let best = order.into_iter().map(|(class, score)| (class, name(class), score)).collect();
        Self { output: output.into(), of, best }
    }

    /// What an output says of one sample: scores of classes, or of each token of a text. Nothing where it is neither.
    pub fn of(
        output: &str,
        numbers: &ArrayD<f64>,
        labels: &Labels,
        text: Option<&Text>,
    ) -> Vec<Self> {
        match (numbers.shape(), text) {
            (&[1, tokens, scores], Some(text)) if tokens == text.length() && scores > 0 => {
                Self::of_tokens(output, numbers, scores, labels, text)
            }
            ([] | [1] | [1, 1], _) => {
                vec![Self::new(output, None, &to_vec(numbers), |_| String::new(), 1)]
            }
            ([1, _], _) => {
                vec![Self::new(output, None, &to_vec(numbers), |class| labels.name(class), FEW)]
            }
            _ => Vec::new(),
        }
    }

    fn of_tokens(
        output: &str,
        numbers: &ArrayD<f64>,
        scores: usize,
        labels: &Labels,
        text: &Text,
    ) -> Vec<Self> {
        let rows = to_vec(numbers);
        let rows = rows.chunks(scores).zip(text.tokens()).enumerate();
        let of = |place: usize, name: &str| Some(format!("{place} {name}"));
        match text.vocabulary(scores) {
            // Scores of tokens: those of the one that is to be found.
            Some(tokenizer) => {
                let name = |id| tokenizer.decoded(id).unwrap_or_else(|| format!("#{id}"));
                let open = rows.filter(|(place, _)| *place == text.open_place());
                open.map(|(place, (row, (token, _)))| {
                    Self::new(output, of(place, token), row, name, FEW)
                })
                .collect()
            }
            None => rows
                .map(|(place, (row, (token, _)))| {
                    Self::new(output, of(place, token), row, |class| labels.name(class), 1)
                })
                .collect(),
        }
    }

    /// As a line.
    pub fn line(&self) -> String {
        let mut line = Shown(&self.output).to_string();
        if let Some(of) = &self.of {
            let _ = write!(line, " at token {}", Shown(of));
        }
        for (i, (class, name, score)) in self.best.iter().enumerate() {
            let between = if i == 0 { ": " } else { ", " };
            let name = if *name == format!("class {class}") || name.is_empty() {
                name.clone()
            } else {
                format!("{} ({class})", Escaped(name))
            };
            let _ = write!(line, "{between}{}", format!("{name} {}", number(*score)).trim());
        }
        line
    }

    /// As a fragment of HTML, with the explained classes marked.
    pub fn html(&self, explained: &[i64]) -> String {
        let is_explained = |class: usize| explained.contains(&(class as i64));
        let scores = self.best.iter().map(|(class, name, score)| {
            let name = if name.is_empty() { self.output.clone() } else { name.clone() };
            (name, *score, self.of.is_none() && is_explained(*class))
        });
        let title = match &self.of {
            Some(of) => format!("<h3>{}</h3>\n", html::escape(of)),
            None => String::new(),
        };
        title + &html::scores(&scores.collect::<Vec<_>>())
    }

    /// For machines.
    pub fn json(&self) -> serde_json::Value {
        let best = self
            .best
            .iter()
            .map(|(class, name, score)| json!({"class": class, "name": name, "score": score}));
        json!({"output": self.output, "of": self.of, "best": best.collect::<Vec<_>>()})
    }
}

fn to_vec(numbers: &ArrayD<f64>) -> Vec<f64> {
    numbers.iter().copied().collect()
}
