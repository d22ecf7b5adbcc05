//! Work beside the interpreter: other Python threads run meanwhile, and Ctrl-C is heeded.

use std::{
    ops::ControlFlow,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use pyo3::prelude::*;

use crate::errors::Failure;

/// How long a signal may wait until it is seen.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a worker says.
enum News<T> {
    /// How much is done, of how much.
    Progress(u64, u64),
    /// What came of it.
    Done(Result<T, Failure>),
}

/// What work is given to say how far it is; the answer is whether to go on.
pub type Progress<'p> = &'p dyn Fn(u64, u64) -> ControlFlow<()>;

/// Does work on a thread of its own. What that says of its progress is passed on to `progress`, a callable.
///
/// An exception of that callable, or of a signal handler, is raised at once. The work is then told to stop where it next
/// says how far it is; what it gives after all is dropped.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Progress<'_>) -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    let (worker, mut news) = mpsc::channel();
    std::thread::Builder::new().name("abslrp".into()).spawn(move || {
        let progress = |done, total| match worker.send(News::Progress(done, total)) {
            Ok(()) => ControlFlow::Continue(()),
            // Nobody listens any more.
            Err(_) => ControlFlow::Break(()),
        };
        let result = work(&progress);
        let _ = worker.send(News::Done(result));
    })?;
    loop {
        let next;
        // A receiver belongs to one thread at a time, so that it goes there and back.
        (news, next) = py.detach(move || {
            let next = news.recv_timeout(PATIENCE);
            (news, next)
        });
        match next {
            Ok(News::Progress(done, total)) => {
                if let Some(progress) = progress {
                    progress.call1((done, total))?;
                }
            }
            Ok(News::Done(result)) => return result.map_err(|failure| failure.raise(py)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Panicked.raise(py)),
        }
        py.check_signals()?;
    }
}
