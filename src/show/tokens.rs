//! A text, each word on the colour of its relevance.

use std::fmt::Write;

use abslrp::onnx::shown::Escaped;

use super::{
    Scale,
    bars::{self, Bars, Row},
    html::{self, escape},
    signed,
    terminal::Terminal,
    wants_white,
};

/// A word, or a token that is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// How it is written.
    pub text: String,
    /// The tokens that it is made of, as the tokenizer writes them.
    pub pieces: Vec<String>,
    /// The sum of their relevance.
    pub relevance: f64,
    /// Whether a space stands before it.
    pub spaced: bool,
    /// Whether another text begins with it.
    pub begins: bool,
    /// Whether it stands for no part of the text.
    pub special: bool,
}

/// The words of most relevance, of which so many are listed.
fn foremost(words: &[Word], count: usize) -> Vec<&Word> {
    let mut order: Vec<_> = words.iter().collect();
    order.sort_by(|a, b| b.relevance.abs().total_cmp(&a.relevance.abs()));
    order.truncate(count);
    order
}

/// The text for a terminal, and below it a list: of the foremost words where there are colours, of all in the order of
/// the text where there are none.
pub fn terminal(words: &[Word], scale: Scale, terminal: Terminal) -> String {
    const FOREMOST: usize = 10;
    let mut text = String::new();
    let listed = if terminal == Terminal::Plain {
        words.iter().collect()
    } else {
        for word in words {
            let between = match word {
                _ if text.is_empty() => "",
                word if word.begins => "\n",
                word if word.spaced || word.special => " ",
                _ => "",
            };
            let written = Escaped(&word.text).to_string();
            let written = if word.special { terminal.quiet(&written) } else { written };
            let _ = write!(text, "{between}{}", terminal.chip(&written, scale, word.relevance));
        }
        text += "\n\n";
        foremost(words, FOREMOST)
    };
    let row =
        |word: &Word| Row { name: word.text.clone(), cells: Vec::new(), relevance: word.relevance };
    text += &bars::terminal(
        Bars::Relevance,
        &listed.into_iter().map(row).collect::<Vec<_>>(),
        terminal,
    );
    text
}

/// The text as a fragment of HTML: each word says its relevance where it is pointed at, and a table does for those who
/// cannot point.
pub fn html(words: &[Word], scale: Scale) -> String {
    let mut text = String::from("<p class=\"tokens\">");
    for (i, word) in words.iter().enumerate() {
        if word.begins && i > 0 {
            text += "</p>\n<p class=\"tokens\">";
        } else if i > 0 && (word.spaced || word.special) {
            text.push(' ');
        }
        let (_, share) = scale.colour(word.relevance);
        let side = if word.relevance > 0.0 { "for" } else { "against" };
        let white = if wants_white(scale.over([255; 3], word.relevance)) { " strong" } else { "" };
        let special = if word.special { " special" } else { "" };
        let _ = write!(
            text,
            "<span class=\"chip {side}{white}{special}\" style=\"--share:{:.0}%\" title=\"{}\">{}</span>",
            100.0 * share,
            escape(&said(word)),
            escape(&word.text),
        );
    }
    let rows = foremost(words, words.len()).into_iter().map(|word| Row {
        name: word.text.clone(),
        cells: vec![word.pieces.join(" ")],
        relevance: word.relevance,
    });
    let table = bars::html(Bars::Relevance, &["Word", "Tokens"], &rows.collect::<Vec<_>>());
    let summary = format!("All {} words by their relevance", words.len());
    format!("{text}</p>\n{}\n{}", html::legend(scale), html::details(&summary, &table))
}

/// What is said of a word.
fn said(word: &Word) -> String {
    let pieces = if word.pieces.len() > 1 || word.pieces.first() != Some(&word.text) {
        format!(" (tokens {})", word.pieces.join(" "))
    } else {
        String::new()
    };
    format!("{}: R = {}{pieces}", word.text, signed(word.relevance))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, relevance: f64) -> Word {
        let special = text.starts_with('[');
        let pieces = vec![text.into()];
        Word { text: text.into(), pieces, relevance, spaced: true, begins: false, special }
    }

    #[test]
    fn without_colours_every_word_has_a_line_of_its_own() {
        let words = [word("[CLS]", 0.0), word("dull\x1b[2J", -0.5), word("film", 0.25)];
        let text = terminal(&words, Scale(0.5), Terminal::Plain);
        let expected = "[CLS]                   0\n\
                        dull\\u{1b}[2J        -0.5  ████████████████████\n\
                        film                +0.25  ██████████\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn with_colours_the_text_is_read_as_it_is_written() {
        let mut words = [word("dull", -0.5), word(".", 0.0), word("Bad", 0.25)];
        words[1].spaced = false;
        words[2].begins = true;
        let text = terminal(&words, Scale(0.5), Terminal::True);
        let first = "\x1b[48;2;33;102;172;38;5;15mdull\x1b[0m.\n";
        assert!(text.starts_with(first), "{text:?}");
        assert_eq!(text.lines().count(), 2 + 1 + 3);
    }

    #[test]
    fn html_holds_no_markup_of_the_text() {
        let words = [word("<script>", 0.5), word("a\"b", -0.1)];
        let html = html(&words, Scale(0.5));
        assert!(html.contains("<span class=\"chip for strong\" style=\"--share:100%\" title=\"&lt;script&gt;: R = +0.5\">&lt;script&gt;</span> "));
        assert!(html.contains("title=\"a&quot;b: R = -0.1\""));
        assert!(!html.contains("<script>"));
    }
}
