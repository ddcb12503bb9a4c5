//! Work shared out among all cores.

use super::Error;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` for each of `tasks`, on as many threads as there are cores. Gives what came of them in their order, or an error that one met.
pub(super) fn on_all<T: Send, R: Send>(
    tasks: Vec<T>,
    work: impl Fn(T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let n_threads = n_threads.min(tasks.len());
    if n_threads <= 1 {
        return tasks.into_iter().map(work).collect();
    }
    let tasks = Mutex::new(tasks.into_iter().enumerate());
    let work_off = || -> Result<Vec<(usize, R)>, Error> {
        let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
        let mut done = Vec::new();
        while let Some((at, task)) = next() {
            done.push((at, work(task)?));
        }
        Ok(done)
    };
    let mut done = Vec::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work_off)).collect();
        for thread in threads {
            let joined = thread.join();
            done.extend(joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<(), Error>(())
    })?;
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn results_are_in_the_order_of_their_tasks() {
        let doubled = on_all((0..1_000).collect(), |n: usize| Ok(2 * n));
        let expect: Vec<usize> = (0..1_000).map(|n| 2 * n).collect();
        assert_eq!(doubled.unwrap(), expect);
        assert!(on_all(Vec::new(), |n: usize| Ok(n)).unwrap().is_empty());
    }

    #[test]
    fn one_error_is_the_error_of_all() {
        let work = |n| match n {
            500 => Err(Error::Remembered(io::Error::other("no"))),
            n => Ok(n),
        };
        assert!(on_all((0..1_000).collect(), work).is_err());
    }
}
