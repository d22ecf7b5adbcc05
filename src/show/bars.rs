//! Features with bars of their relevance, and many samples of them as swarms.

use std::fmt::Write;

use abslrp::onnx::shown::Escaped;

use super::{
    html::escape,
    number, signed,
    terminal::{Terminal, bar},
};

/// What relevance is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// What else there is to say of it, such as its value.
    pub cells: Vec<String>,
    /// The relevance.
    pub relevance: f64,
}

/// What the bars of rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bars {
    /// Relevance, for or against.
    Relevance,
    /// The mean of |R|, which has no sign.
    Size,
}

impl Bars {
    fn written(self, row: &Row) -> String {
        match self {
            Self::Relevance => signed(row.relevance),
            Self::Size => number(row.relevance),
        }
    }
}

fn largest(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.relevance.abs()).fold(0.0, f64::max)
}

/// A row by row share of the largest.
fn share(row: &Row, largest: f64) -> f64 {
    if largest > 0.0 { row.relevance.abs() / largest } else { 0.0 }
}

/// A list for a terminal, with a bar behind each row.
pub fn terminal(bars: Bars, rows: &[Row], terminal: Terminal) -> String {
    /// What is longer moves its own line alone.
    const WIDEST: usize = 40;
    let width = |text: &str| text.chars().count();
    let written: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let cells = std::iter::once(&row.name).chain(&row.cells);
            cells.map(|cell| Escaped(cell).to_string()).collect()
        })
        .collect();
    let columns = written.iter().map(Vec::len).max().unwrap_or(0);
    let widths = (0..columns).map(|i| {
        let widths = written.iter().filter_map(|cells| cells.get(i)).map(|cell| width(cell));
        widths.max().unwrap_or(0).min(WIDEST)
    });
    let widths: Vec<_> = widths.collect();
    let largest = largest(rows);
    let mut text = String::new();
    for (row, cells) in rows.iter().zip(&written) {
        for (i, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            // Names to the left, what they hold to the right.
            let _ = if i == 0 {
                write!(text, "{cell:width$}")
            } else {
                write!(text, "  {cell:>width$}")
            };
        }
        let bar = bar(share(row, largest), 20);
        let bar = match bars {
            Bars::Relevance => terminal.ink(bar.trim_end(), row.relevance),
            Bars::Size => bar.trim_end().into(),
        };
        let line = format!("  {:>10}  {bar}", bars.written(row));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// A table with bars, those of relevance to either side of 0; `head` says what the columns before it hold.
pub fn html(bars: Bars, head: &[&str], rows: &[Row]) -> String {
    let mut table = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
    for name in head {
        let _ = write!(table, "<th scope=\"col\">{}</th>", escape(name));
    }
    let (what, sides, full) = match bars {
        Bars::Relevance => ("R", "Against | for", 50.0),
        Bars::Size => ("Mean |R|", "", 100.0),
    };
    let _ = writeln!(
        table,
        "<th scope=\"col\" class=\"value\">{what}</th><td>{sides}</td></tr></thead>\n<tbody>"
    );
    let largest = largest(rows);
    for row in rows {
        let _ = write!(table, "<tr><th scope=\"row\">{}</th>", escape(&row.name));
        for cell in &row.cells {
            let _ = write!(table, "<td>{}</td>", escape(cell));
        }
        let side = match bars {
            Bars::Size => "size",
            Bars::Relevance if row.relevance > 0.0 => "for",
            Bars::Relevance => "against",
        };
        let _ = writeln!(
            table,
            "<td class=\"value\">{}</td><td class=\"bar\"><span class=\"{side}\" style=\"--share:{:.2}%\"></span></td></tr>",
            bars.written(row),
            full * share(row, largest)
        );
    }
    table + "</tbody>\n</table></div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, value: &str, relevance: f64) -> Row {
        Row { name: name.into(), cells: vec![value.into()], relevance }
    }

    #[test]
    fn bars_are_shares_of_the_largest() {
        let rows = [row("a", "1", -2.0), row("bc\x07", "10", 0.5)];
        let table = html(Bars::Relevance, &["Feature", "Value"], &rows);
        assert!(table.contains("<span class=\"against\" style=\"--share:50.00%\">"), "{table}");
        assert!(table.contains("<span class=\"for\" style=\"--share:12.50%\">"), "{table}");
        let list = terminal(Bars::Relevance, &rows, Terminal::Plain);
        let expected = "a         1          -2  ████████████████████\n\
                        bc\\u{7}  10        +0.5  █████\n";
        assert_eq!(list, expected);
    }
}
