//! Texts, as models take them: token ids, and beside them what exporters of language models ask for.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use abslrp::{
    Options,
    onnx::{
        DataType, Model, file,
        schema::{ValueInfoProto, type_proto},
    },
    options::Target,
    verify::session::{Array, Input},
};
use ndarray::{ArrayD, IxDyn};

use super::{Error, Feeds, is_float, tokenizer::Tokenizer};
use crate::show::tokens::Word;

/// How a text is given.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Given {
    /// A text to explain, in place of a file
    #[arg(long, requires = "tokenizer", conflicts_with = "data")]
    text: Option<String>,
    /// The second of a pair of texts
    #[arg(long, value_name = "TEXT", requires = "tokenizer")]
    text_pair: Option<String>,
    /// What turns texts into token ids, and names ids that are given: a tokenizer.json
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Show the tokens, not the words that they are pieces of
    #[arg(long)]
    pieces: bool,
    /// The token whose output is explained, counted from 0, or from the end where it is negative: for a model with
    /// scores per token that was compiled with `--target input --class-axis 1`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    target_token: Option<i64>,
}

/// A token of a text.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: i64,
    /// What the tokenizer calls it.
    pub name: String,
    /// The word that it is a piece of, as the tokenizer counts them.
    pub word: Option<u32>,
    /// The bytes that it stands for in its text.
    pub span: Range<usize>,
    /// Which of a pair of texts it is of.
    pub sequence: usize,
    /// Whether the tokenizer put it there.
    pub special: bool,
}

/// What a tokenizer makes of a text.
pub struct Encoded {
    /// The tokens.
    pub tokens: Vec<Token>,
    /// A number for each that tells the texts of a pair apart.
    pub types: Vec<i64>,
}

/// A text that is fed.
pub struct Text {
    tokens: Vec<Token>,
    /// One, or two of a pair; none where ids were given.
    texts: Vec<String>,
    /// How many tokens the model sees, with what fills the text up.
    length: usize,
    pieces: bool,
    tokenizer: Option<Tokenizer>,
}

impl Given {
    /// Whether a text is given, or something that goes with one.
    pub fn is_given(&self) -> bool {
        self.text.is_some() || self.tokenizer.is_some()
    }

    /// Feeds a text: the one that is given, one of a file, or ids or embeddings of one in an `.npy` file. Gives the input
    /// that tokens go to.
    pub fn feed(
        &self,
        feeds: &mut Feeds<'_>,
        data: Option<&Path>,
    ) -> Result<(Text, String), Error> {
        /// Longer than what any model reads.
        const LONGEST: u64 = 1 << 24;
        let tokenizer = self.tokenizer.as_deref().map(Tokenizer::read).transpose()?;
        let text = match (&self.text, data) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) if path.extension().is_some_and(|e| e == "npy") => {
                return feed_npy(feeds, path, tokenizer);
            }
            (None, Some(path)) => {
                let bytes = file::read(path, LONGEST).map_err(|e| Error::Other(e.to_string()))?;
                String::from_utf8(bytes).map_err(|e| Error::Other(e.to_string()))?
            }
            (None, None) => return Err(Error::NoTokens),
        };
        let (Some(path), Some(tokenizer)) = (&self.tokenizer, tokenizer) else {
            return Err(Error::Other(
                "a text needs --tokenizer FILE, the tokenizer.json of the model".into(),
            ));
        };
        let pair = self.text_pair.as_deref();
        let encoded = tokenizer.encode(path, &text, pair)?;
        if encoded.tokens.is_empty() {
            return Err(Error::NoTokens);
        }
        let input = feeds.only("token ids", |input| is_ids(input) && !is_companion(input))?;
        check_vocabulary(feeds.model, &input, &encoded.tokens)?;
        let length = length(&input, encoded.tokens.len())?;
        let mut ids: Vec<_> = encoded.tokens.iter().map(|token| token.id).collect();
        ids.resize(length, tokenizer.padding());
        feed_ids(feeds, &input, ids, &encoded.types, encoded.tokens.len())?;
        let texts = std::iter::once(text).chain(self.text_pair.clone()).collect();
        let tokenizer = Some(tokenizer);
        let tokens = encoded.tokens;
        Ok((Text { tokens, texts, length, pieces: self.pieces, tokenizer }, input.name))
    }

    /// Whether what is asked for is a token, not a class.
    pub fn chooses_token(&self) -> bool {
        self.target_token.is_some()
    }

    /// The place of the token that is explained, if one is asked for.
    pub fn target(
        &self,
        text: &Text,
        model: &Model,
        options: &Options,
    ) -> Result<Option<i64>, Error> {
        let Some(token) = self.target_token else { return Ok(None) };
        let count = text.tokens.len() as i64;
        let place = if token < 0 { token + count } else { token };
        if !(0..count).contains(&place) {
            let names =
                text.tokens.iter().enumerate().map(|(i, token)| format!("{i} {}", token.name));
            return Err(Error::NoToken { token, tokens: names.collect::<Vec<_>>().join(", ") });
        }
        if model.graph().output.first().and_then(rank).is_some_and(|rank| rank < 3) {
            return Err(Error::WholeText);
        }
        let fixed = |why: String| Err(Error::FixedTarget { why, token });
        if options.target != Target::Input {
            return fixed(format!("the model was compiled with --target {}", options.target));
        }
        if options.class_axis.is_some_and(|axis| axis != 1) {
            return fixed(
                "the model was compiled with another --class-axis than 1, that of tokens".into(),
            );
        }
        Ok(Some(place))
    }
}

/// The number of axes of a tensor, where a file says it.
fn rank(info: &ValueInfoProto) -> Option<usize> {
    match info.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(tensor.shape.as_ref()?.dim.len()),
        _ => None,
    }
}

/// Whether an input may be of token ids.
pub fn is_ids(input: &Input) -> bool {
    use DataType as T;
    matches!(input.elem, T::Int64 | T::Int32 | T::Uint32 | T::Uint64)
        && (1..=2).contains(&input.shape.len())
}

/// Whether an input is of embeddings of tokens by its name.
pub fn is_embedding(input: &Input) -> bool {
    is_float(input) && input.shape.len() == 3 && input.name.to_lowercase().contains("embed")
}

/// What exporters of language models ask for beside token ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Companion {
    /// 1 for each token that is one of the text, 0 for what fills it up.
    Mask,
    /// Which text of a pair a token is of.
    Types,
    /// 0, 1, 2 …
    Positions,
    /// What was computed for tokens before the text: there are none.
    Cache,
    /// Whether to read that: no.
    UseCache,
}

/// What an input is for, by its name: those of Hugging Face's exporters, and of BERT's first release.
fn companion(input: &Input) -> Option<Companion> {
    let name = input.name.to_lowercase();
    let has = |part| name.contains(part);
    match input.shape.len() {
        1 | 2 if has("mask") => Some(Companion::Mask),
        1 | 2 if has("type") || has("segment") => Some(Companion::Types),
        1 | 2 if has("position") => Some(Companion::Positions),
        3.. if is_float(input) && (has("past") || has("cache")) => Some(Companion::Cache),
        0 | 1 if input.elem == DataType::Bool && has("cache") => Some(Companion::UseCache),
        _ => None,
    }
}

/// Whether an input is one of those.
pub fn is_companion(input: &Input) -> bool {
    companion(input).is_some()
}

/// How many tokens an input takes for so many.
fn length(input: &Input, tokens: usize) -> Result<usize, Error> {
    match input.shape.last().copied().flatten() {
        Some(expected) if expected < tokens => {
            Err(Error::TooLong { input: input.name.clone(), expected, came: tokens })
        }
        Some(expected) => Ok(expected),
        None => Ok(tokens),
    }
}

/// Numbers as an input of one or two axes takes them, a batch of one.
fn line(input: &Input, numbers: Vec<f64>) -> Result<ArrayD<f64>, Error> {
    let shape = if input.shape.len() == 1 { vec![numbers.len()] } else { vec![1, numbers.len()] };
    let fits = input.shape.iter().zip(&shape).all(|(own, came)| own.is_none_or(|own| own == *came));
    match ArrayD::from_shape_vec(IxDyn(&shape), numbers) {
        Ok(array) if fits => Ok(array),
        _ => Err(Error::Shape { input: input.clone(), what: "the text", came: shape }),
    }
}

/// Feeds ids, or embeddings.
fn feed_npy(
    feeds: &mut Feeds<'_>,
    path: &Path,
    tokenizer: Option<Tokenizer>,
) -> Result<(Text, String), Error> {
    let numbers = Array::read(path)?;
    let ids = feeds.only("token ids", |input| is_ids(input) && !is_companion(input));
    let embeds = |input: &Input| is_float(input) && input.shape.len() == 3;
    let (input, what) = match ids {
        Err(Error::NoInput { .. }) => (feeds.only("embeddings of tokens", embeds)?, "embeddings"),
        ids => (ids?, "ids"),
    };
    // A batch of one may be left out.
    let lacking = numbers.ndim() + 1 == input.shape.len();
    let numbers = if lacking { numbers.insert_axis(ndarray::Axis(0)) } else { numbers };
    let length = match numbers.shape() {
        [1, length, ..] | [length] if numbers.ndim() == input.shape.len() => *length,
        came if came.len() == input.shape.len() => {
            return Err(Error::NotOne { what, came: came.to_vec() });
        }
        came => return Err(Error::Shape { input, what, came: came.to_vec() }),
    };
    let own = input.shape.iter().zip(numbers.shape());
    if own.clone().any(|(own, came)| own.is_some_and(|own| own != *came)) {
        return Err(Error::Shape { input, what, came: numbers.shape().to_vec() });
    }
    let tokens = (0..length).map(|place| {
        let id = if what == "ids" {
            numbers.iter().nth(place).map_or(0, |id| *id as i64)
        } else {
            place as i64
        };
        let known = tokenizer.as_ref().filter(|_| what == "ids").and_then(|t| t.name(id));
        let name = known.unwrap_or_else(|| format!("#{id}"));
        Token { id, name, word: None, span: 0..0, sequence: 0, special: false }
    });
    let tokens: Vec<_> = tokens.collect();
    if what == "ids" {
        check_vocabulary(feeds.model, &input, &tokens)?;
        let ids = tokens.iter().map(|token| token.id).collect();
        feed_ids(feeds, &input, ids, &vec![0; length], length)?;
    } else {
        feeds.feed_numbers(&input, &numbers)?;
        feed_companions(feeds, length, &vec![0; length], length)?;
    }
    let text = Text { tokens, texts: Vec::new(), length, pieces: true, tokenizer };
    Ok((text, input.name))
}

/// Feeds ids, of which the first so many are the text's, and what is asked for beside them.
fn feed_ids(
    feeds: &mut Feeds<'_>,
    input: &Input,
    ids: Vec<i64>,
    types: &[i64],
    tokens: usize,
) -> Result<(), Error> {
    let length = ids.len();
    let ids = line(input, ids.into_iter().map(|id| id as f64).collect())?;
    feeds.feed_numbers(input, &ids)?;
    feed_companions(feeds, length, types, tokens)
}

/// Feeds what is asked for beside so many tokens, the first of which are the text's.
pub fn feed_companions(
    feeds: &mut Feeds<'_>,
    length: usize,
    types: &[i64],
    tokens: usize,
) -> Result<(), Error> {
    for input in feeds.open.clone() {
        let places = 0..length;
        let numbers: Vec<f64> = match companion(&input) {
            None => continue,
            Some(Companion::Mask) => places.map(|i| f64::from(u8::from(i < tokens))).collect(),
            Some(Companion::Types) => {
                places.map(|i| types.get(i).map_or(0.0, |t| *t as f64)).collect()
            }
            Some(Companion::Positions) => places.map(|i| i as f64).collect(),
            Some(Companion::Cache) => {
                // [batch, heads, tokens, features]: of an open size of tokens there are none.
                let size = |(axis, n): (usize, &Option<usize>)| n.unwrap_or(usize::from(axis == 0));
                let shape: Vec<_> = input.shape.iter().enumerate().map(size).collect();
                feeds.feed_numbers(&input, &ArrayD::zeros(IxDyn(&shape)))?;
                continue;
            }
            Some(Companion::UseCache) => {
                let shape: Vec<_> = input.shape.iter().map(|n| n.unwrap_or(1)).collect();
                feeds.feed_numbers(&input, &ArrayD::zeros(IxDyn(&shape)))?;
                continue;
            }
        };
        feeds.feed_numbers(&input, &line(&input, numbers)?)?;
    }
    Ok(())
}

/// Refuses ids that the model has no embedding for, as far as a file says how many there are: before the runtime does,
/// which says nothing of tokens.
fn check_vocabulary(model: &Model, input: &Input, tokens: &[Token]) -> Result<(), Error> {
    let graph = model.graph();
    let fetches = graph.node.iter().filter(|node| {
        node.op_type() == "Gather" && node.input.get(1).is_some_and(|ids| *ids == input.name)
    });
    let tables = fetches.filter_map(|node| node.input.first());
    let sizes = tables.filter_map(|name| {
        let table = graph.initializer.iter().find(|tensor| tensor.name() == name)?;
        table.dims.first().copied()
    });
    let Some(size) = sizes.min() else { return Ok(()) };
    match tokens.iter().find(|token| !(0..size).contains(&token.id)) {
        Some(token) => Err(Error::Vocabulary { token: token.name.clone(), id: token.id, size }),
        None => Ok(()),
    }
}

impl Text {
    /// The relevance of each token: of embeddings, the sum over what they are made of.
    pub fn of_tokens(&self, relevance: &ArrayD<f64>) -> Result<Vec<f64>, Error> {
        let each = relevance.len() / self.length.max(1);
        if each == 0 || each * self.length != relevance.len() {
            let what = format!(
                "relevance of shape {:?} is not that of {} tokens",
                relevance.shape(),
                self.length
            );
            return Err(Error::Other(what));
        }
        let numbers: Vec<_> = relevance.iter().copied().collect();
        Ok(numbers.chunks(each).map(|chunk| chunk.iter().sum()).collect())
    }

    /// The words, with the relevance of their tokens; what fills the text up is left out.
    pub fn words(&self, relevance: &[f64]) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        // The last token, and the bytes of its word.
        let mut last: Option<(&Token, Range<usize>)> = None;
        for (token, &relevance) in self.tokens.iter().zip(relevance) {
            let source = self.texts.get(token.sequence).map_or("", |text| text);
            let written = source
                .get(token.span.clone())
                .filter(|text| !text.trim().is_empty() && !token.special);
            let piece = last.as_ref().filter(|(before, span)| {
                !self.pieces
                    && written.is_some()
                    && !before.special
                    && before.sequence == token.sequence
                    && before.word == token.word
                    // Where a tokenizer takes a whole text for one word, spaces tell words apart.
                    && source.get(span.end..token.span.start.max(span.end)) == Some("")
                    && !written.is_some_and(|text| text.starts_with(char::is_whitespace))
            });
            if let (Some((_, span)), Some(word)) = (piece, words.last_mut()) {
                let span = span.start..token.span.end.max(span.end);
                word.text = source.get(span.clone()).unwrap_or(&word.text).trim().into();
                word.pieces.push(token.name.clone());
                word.relevance += relevance;
                last = Some((token, span));
                continue;
            }
            let text = match written {
                Some(text) if !self.pieces => text.trim().into(),
                _ => token.name.clone(),
            };
            let spaced = self.pieces
                || last.as_ref().is_some_and(|(before, _)| before.special)
                || written.is_some_and(|text| text.starts_with(char::is_whitespace))
                || source
                    .get(..token.span.start)
                    .is_some_and(|text| text.ends_with(char::is_whitespace));
            let begins = last
                .as_ref()
                .is_some_and(|(before, _)| before.sequence != token.sequence && !token.special);
            words.push(Word {
                text,
                pieces: vec![token.name.clone()],
                relevance,
                spaced,
                begins,
                special: token.special,
            });
            last = Some((token, token.span.clone()));
        }
        words
    }

    /// The tokens, what they are called and their ids.
    pub fn tokens(&self) -> impl Iterator<Item = (&str, i64)> {
        self.tokens.iter().map(|token| (token.name.as_str(), token.id))
    }

    /// The parts of the text that the tokenizer has no tokens for, as far as it says so by a token.
    pub fn unknown(&self) -> Vec<&str> {
        let is_unknown =
            |token: &&Token| matches!(token.name.to_lowercase().as_str(), "[unk]" | "<unk>");
        let source = |token: &Token| self.texts.get(token.sequence)?.get(token.span.clone());
        self.tokens.iter().filter(is_unknown).filter_map(source).collect()
    }

    /// A token by its place, with its name.
    pub fn token(&self, place: i64) -> String {
        let token = usize::try_from(place).ok().and_then(|place| self.tokens.get(place));
        token.map_or_else(|| place.to_string(), |token| format!("{place} {}", token.name))
    }

    /// How many tokens the model sees.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What an output of that many scores per token scores: tokens, by this tokenizer.
    pub fn vocabulary(&self, scores: usize) -> Option<&Tokenizer> {
        self.tokenizer.as_ref().filter(|tokenizer| scores >= tokenizer.size())
    }

    /// The place whose scores of tokens are of interest: that of a mask, or the last.
    pub fn open_place(&self) -> usize {
        let is_mask = |token: &Token| token.special && token.name.to_lowercase().contains("mask");
        let mask = self.tokens.iter().position(is_mask);
        mask.unwrap_or(self.tokens.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, word: Option<u32>, span: Range<usize>, sequence: usize) -> Token {
        Token { id: 0, name: name.into(), word, span, sequence, special: word.is_none() }
    }

    fn words(text: &Text) -> Vec<(String, f64)> {
        let relevance: Vec<_> = (0..text.tokens.len()).map(|i| f64::from(1 << i)).collect();
        text.words(&relevance).into_iter().map(|word| (word.text, word.relevance)).collect()
    }

    fn of(tokens: Vec<Token>, texts: &[&str]) -> Text {
        let texts = texts.iter().map(|text| (*text).into()).collect();
        Text { length: tokens.len(), tokens, texts, pieces: false, tokenizer: None }
    }

    #[test]
    fn pieces_are_one_word_and_texts_of_a_pair_two() {
        let tokens = vec![
            token("[CLS]", None, 0..0, 0),
            token("un", Some(0), 0..2, 0),
            token("##real", Some(0), 2..6, 0),
            token("!", Some(1), 6..7, 0),
            token("[SEP]", None, 0..0, 0),
            token("!", Some(0), 0..1, 1),
        ];
        let mut text = of(tokens, &["Unreal!", "!"]);
        let expected = [("[CLS]", 1.0), ("Unreal", 6.0), ("!", 8.0), ("[SEP]", 16.0), ("!", 32.0)];
        assert_eq!(words(&text), expected.map(|(word, sum)| (word.to_string(), sum)));
        let begin: Vec<_> = text.words(&[0.0; 6]).iter().map(|word| word.begins).collect();
        assert_eq!(begin, [false, false, false, false, true]);
        text.pieces = true;
        assert_eq!(words(&text).len(), 6);
    }

    #[test]
    fn spaces_tell_words_apart_where_a_tokenizer_does_not() {
        // As SentencePiece does without a pre-tokenizer: one word, whose pieces begin with their space.
        let tokens = vec![
            token("▁no", Some(0), 0..2, 0),
            token("▁an", Some(0), 2..5, 0),
            token("ts", Some(0), 5..7, 0),
        ];
        let text = of(tokens, &["no ants"]);
        assert_eq!(words(&text), [("no".into(), 1.0), ("ants".into(), 6.0)]);
    }

    #[test]
    fn inputs_are_told_by_their_names() {
        let input = |name: &str, elem, axes| Input {
            name: name.into(),
            elem,
            shape: vec![None; axes],
            symbols: vec![String::new(); axes],
        };
        for (name, elem, axes, expected) in [
            ("input_ids", DataType::Int64, 2, None),
            ("attention_mask", DataType::Int64, 2, Some(Companion::Mask)),
            ("input_mask:0", DataType::Int32, 2, Some(Companion::Mask)),
            ("token_type_ids", DataType::Int64, 2, Some(Companion::Types)),
            ("segment_ids", DataType::Int64, 2, Some(Companion::Types)),
            ("position_ids", DataType::Int64, 2, Some(Companion::Positions)),
            ("cache_position", DataType::Int64, 1, Some(Companion::Positions)),
            ("past_key_values.0.key", DataType::Float, 4, Some(Companion::Cache)),
            ("use_cache_branch", DataType::Bool, 1, Some(Companion::UseCache)),
        ] {
            assert_eq!(companion(&input(name, elem, axes)), expected, "{name}");
        }
    }
}
