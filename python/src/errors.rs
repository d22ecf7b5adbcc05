//! Errors of the library as exceptions of `abslrp.errors`, each with the argument that would help.

use std::io;

use abslrp::{Error, Hint, ParseError, evaluate, onnx, verify};
use pyo3::{exceptions::PyRuntimeError, prelude::*};

/// Why a call failed, before there is an exception for it: a worker has no interpreter.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Reading or writing a model.
    #[error(transparent)]
    Onnx(onnx::Error),
    /// Planning or emitting an explanation.
    #[error(transparent)]
    Lrp(Box<Error>),
    /// Running a model.
    #[error(transparent)]
    Verify(Box<verify::Error>),
    /// Measuring rules.
    #[error(transparent)]
    Evaluate(Box<evaluate::Error>),
    /// An argument.
    #[error("{0}")]
    Argument(String),
    /// A worker that panicked.
    #[error("abslrp failed, which is a fault of its own; please report it with the model")]
    Panicked,
}

impl From<onnx::Error> for Failure {
    fn from(error: onnx::Error) -> Self {
        Self::Onnx(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Lrp(error.into())
    }
}

/// What verification found while it did what others do is theirs.
impl From<verify::Error> for Failure {
    fn from(error: verify::Error) -> Self {
        match error {
            verify::Error::Onnx(error) => error.into(),
            verify::Error::Lrp(error) => error.into(),
            error => Self::Verify(error.into()),
        }
    }
}

impl From<evaluate::Error> for Failure {
    fn from(error: evaluate::Error) -> Self {
        match error {
            evaluate::Error::Lrp(error) => error.into(),
            evaluate::Error::Run(error) => error.into(),
            error => Self::Evaluate(error.into()),
        }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::Argument(error.to_string())
    }
}

/// The argument that helps.
fn advice(hint: Hint) -> Option<&'static str> {
    Some(match hint {
        Hint::Output => "choose a tensor with output='…'",
        Hint::Target => "choose with target='argmax', an index, or 'input'",
        Hint::ClassAxis => "name the axis of the classes with class_axis=…",
        Hint::MapAt => "name a tensor of the last feature map or block with map_at='…'",
        Hint::RelevanceOf => "abslrp.inspect(model) shows the layers",
        Hint::OnUnsupported => {
            "rewrite the model without it, or cut relevance there with on_unsupported='stop'"
        }
        Hint::Library => "set ORT_DYLIB_PATH to the library of ONNX Runtime, with its folder",
        Hint::Device => "pass device='cpu'",
        Hint::Inputs => "pass arrays that fit, by the names of inputs",
        Hint::Source => "pass source=…",
        Hint::Explained => "make one with abslrp.compile(model)",
        _ => return None,
    })
}

impl Failure {
    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Lrp(error) => error.hint(),
            Self::Verify(error) => error.hint(),
            _ => None,
        }
    }

    /// The exception's class.
    fn kind(&self) -> &'static str {
        use evaluate::Error as Evaluate;
        use verify::Error as Verify;
        match self {
            Self::Onnx(_) => "ModelError",
            Self::Lrp(error) => match **error {
                Error::Unsupported { .. } | Error::Unit(_) => "UnsupportedError",
                Error::Internal { .. } => "InternalError",
                Error::Graph(_) | Error::NoOutput | Error::NameTaken { .. } => "ModelError",
                _ => "OptionError",
            },
            Self::Verify(error) => match **error {
                Verify::NoRuntime { .. }
                | Verify::NoLibrary { .. }
                | Verify::Untrusted { .. }
                | Verify::Library { .. } => "RuntimeNotFoundError",
                Verify::Cuda { .. } | Verify::Session { .. } | Verify::Run { .. } => "RunError",
                Verify::InputType { .. }
                | Verify::Sample { .. }
                | Verify::NoInput { .. }
                | Verify::Npy { .. } => "DataError",
                _ => "VerifyError",
            },
            Self::Evaluate(error) => match **error {
                Evaluate::Data { .. } => "DataError",
                Evaluate::Model { .. } => "UnsupportedError",
                _ => "AbslrpError",
            },
            Self::Argument(_) => "OptionError",
            Self::Panicked => "InternalError",
        }
    }

    /// The exception.
    pub fn raise(&self, py: Python<'_>) -> PyErr {
        let advice = self.hint().and_then(advice);
        let message = advice.map_or_else(|| self.to_string(), |advice| format!("{self}; {advice}"));
        if let Self::Onnx(onnx::Error::Io { source, .. }) = self {
            // As Python says it: FileNotFoundError and the like.
            return io::Error::new(source.kind(), message).into();
        }
        let exception = || -> PyResult<Bound<'_, PyAny>> {
            let exception = py.import("abslrp.errors")?.getattr(self.kind())?.call1((&message,))?;
            if let Self::Lrp(error) = self
                && let Error::Unsupported { first: problem, .. } | Error::Unit(problem) = &**error
            {
                exception.setattr("node", &problem.node)?;
                exception.setattr("operator", &problem.operator)?;
                exception.setattr("opset", problem.opset)?;
            }
            Ok(exception)
        };
        match exception() {
            Ok(exception) => PyErr::from_value(exception),
            Err(_) => PyRuntimeError::new_err(message),
        }
    }
}
