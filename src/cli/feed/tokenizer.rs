//! A `tokenizer.json`, read by the crate `tokenizers`.

use std::path::Path;

use abslrp::onnx::file;
use serde::de::IgnoredAny;
use tokenizers::Tokenizer as Inner;

use super::{
    Error, caught,
    text::{Encoded, Token},
};

/// What turns texts into token ids and back.
pub struct Tokenizer {
    inner: Inner,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        /// Longer than any vocabulary.
        const LONGEST: u64 = 1 << 28;
        let refuse = |why: String| Error::Tokenizer { path: path.into(), why };
        let bytes = file::read(path, LONGEST).map_err(|e| refuse(e.to_string()))?;
        // The crate panics at what is no JSON, and so it would not be said where.
        serde_json::from_slice::<IgnoredAny>(&bytes).map_err(|e| refuse(e.to_string()))?;
        let inner = caught(|| Inner::from_bytes(&bytes));
        let inner = inner.ok_or_else(|| refuse("what it holds is not what it says".into()))?;
        let mut inner = inner.map_err(|e| refuse(e.to_string()))?;
        // What a text is cut and filled up to is said by the model here, as it is by whoever calls the tokenizer in
        // the package `transformers`.
        inner.with_truncation(None).map_err(|e| refuse(e.to_string()))?;
        inner.with_padding(None);
        Ok(Self { inner })
    }

    /// The tokens of a text, or of a pair of texts.
    pub fn encode(&self, path: &Path, text: &str, pair: Option<&str>) -> Result<Encoded, Error> {
        let input = match pair {
            Some(pair) => tokenizers::EncodeInput::Dual(text.into(), pair.into()),
            None => text.into(),
        };
        let refuse = |why: String| Error::Encode { path: path.into(), why };
        let encoding = self.inner.encode(input, true).map_err(|e| refuse(e.to_string()))?;
        let sequences = encoding.get_sequence_ids();
        let columns = (encoding.get_ids().iter().zip(encoding.get_tokens()))
            .zip(encoding.get_word_ids().iter().zip(encoding.get_offsets()))
            .zip(sequences.iter().zip(encoding.get_special_tokens_mask()));
        let tokens =
            columns.map(|(((id, name), (word, (start, end))), (sequence, special))| Token {
                id: i64::from(*id),
                name: name.clone(),
                word: *word,
                span: *start..*end,
                sequence: sequence.unwrap_or(0),
                special: *special == 1 || sequence.is_none(),
            });
        Ok(Encoded {
            tokens: tokens.collect(),
            types: encoding.get_type_ids().iter().map(|id| i64::from(*id)).collect(),
        })
    }

    /// What a token is called.
    pub fn name(&self, id: i64) -> Option<String> {
        self.inner.id_to_token(u32::try_from(id).ok()?)
    }

    /// A token as it is read in a text.
    pub fn decoded(&self, id: usize) -> Option<String> {
        let id = u32::try_from(id).ok()?;
        let text = self.inner.decode(&[id], false).ok().filter(|text| !text.trim().is_empty());
        text.or_else(|| self.inner.id_to_token(id))
    }

    /// How many different tokens there are.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// What fills a text up.
    pub fn padding(&self) -> i64 {
        let known = ["[PAD]", "<pad>", "<|endoftext|>", "</s>"];
        let id = known.into_iter().find_map(|name| self.inner.token_to_id(name));
        id.map_or(0, i64::from)
    }
}
