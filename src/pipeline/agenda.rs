//! What is to be done when: requests to decide, permits to expire. A projection of the history, rebuilt at every start.

use crate::domain::channel::Priority;
use crate::domain::id::{AttemptId, DebtorKey, PermitId, RequestId};
use crate::domain::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Decide a contact request, and send it if it may go.
    Request(RequestId),
    /// Expire a permit that nobody answered.
    Permit(PermitId),
    /// Ask a vendor that does not report by itself what became of an attempt. Stands on that vendor's own agenda.
    Poll(AttemptId),
}

/// A task with its debtor and its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// Among those due: which first.
    pub priority: Priority,
    /// What.
    pub task: Task,
    /// Whose.
    pub debtor: DebtorKey,
}

/// Tasks by their moment; a task stands in it once, at its newest moment.
#[derive(Default)]
pub struct Agenda {
    inner: Mutex<Inner>,
    wake: tokio::sync::Notify,
}

#[derive(Default)]
struct Inner {
    /// Not due yet, by moment.
    later: BinaryHeap<Reverse<Due>>,
    /// Due, by priority and then moment.
    now: BinaryHeap<Reverse<(Priority, Due)>>,
    /// The moment that counts for each task; heap entries that differ are stale.
    current: HashMap<Task, Timestamp>,
}

impl Agenda {
    /// Puts a task at a moment, in place of any other moment it had.
    pub fn put(&self, due: Due) {
        let mut inner = self.lock();
        if inner.current.insert(due.task, due.at) != Some(due.at) {
            inner.later.push(Reverse(due));
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Takes a task off.
    pub fn drop_task(&self, task: Task) {
        self.lock().current.remove(&task);
    }

    /// The next task due at `now`, or else the moment of the next one.
    pub fn next(&self, now: Timestamp) -> Result<Due, Option<Timestamp>> {
        let mut inner = self.lock();
        while let Some(Reverse(due)) = inner.later.peek().copied() {
            if due.at > now {
                break;
            }
            inner.later.pop();
            if inner.is_current(&due) {
                inner.now.push(Reverse((due.priority, due)));
            }
        }
        while let Some(Reverse((_, due))) = inner.now.pop() {
            if inner.is_current(&due) {
                inner.current.remove(&due.task);
                return Ok(due);
            }
        }
        Err(inner.later.peek().map(|Reverse(due)| due.at))
    }

    /// Takes everything off.
    pub fn take_all(&self) -> Vec<Due> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let due = inner.now.drain().map(|Reverse((_, due))| due);
        let all: Vec<Due> = inner.later.drain().map(|Reverse(due)| due).chain(due).collect();
        let current = std::mem::take(&mut inner.current);
        all.into_iter().filter(|due| current.get(&due.task) == Some(&due.at)).collect()
    }

    /// Waits until something was put.
    pub async fn changed(&self) {
        self.wake.notified().await;
    }

    /// How many tasks stand in it.
    pub fn len(&self) -> usize {
        self.lock().current.len()
    }

    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_current(&self, due: &Due) -> bool {
        self.current.get(&due.task) == Some(&due.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Pseudonym;

    fn due(at: i64, priority: Priority, n: u8) -> Due {
        let at = Timestamp::from_millis(at);
        let task = Task::Request(RequestId::new(Timestamp::from_millis(0), &[n; 10]));
        Due { at, priority, task, debtor: DebtorKey(Pseudonym::from_bytes([n; 16])) }
    }

    #[test]
    fn what_is_due_comes_by_priority_and_then_by_time() {
        let agenda = Agenda::default();
        let [low, normal, urgent, later] = [
            due(1, Priority::Low, 1),
            due(2, Priority::Normal, 2),
            due(3, Priority::Urgent, 3),
            due(9, Priority::Urgent, 4),
        ];
        for task in [low, normal, urgent, later] {
            agenda.put(task);
        }
        let now = Timestamp::from_millis(5);
        assert_eq!(agenda.next(now), Ok(urgent));
        assert_eq!(agenda.next(now), Ok(normal));
        assert_eq!(agenda.next(now), Ok(low));
        assert_eq!(agenda.next(now), Err(Some(later.at)));
    }

    #[test]
    fn a_task_counts_once_at_its_newest_moment() {
        let agenda = Agenda::default();
        agenda.put(due(1, Priority::Normal, 1));
        agenda.put(due(7, Priority::Normal, 1));
        assert_eq!(agenda.next(Timestamp::from_millis(5)), Err(Some(Timestamp::from_millis(7))));
        agenda.put(due(2, Priority::Normal, 1));
        assert_eq!(agenda.next(Timestamp::from_millis(5)), Ok(due(2, Priority::Normal, 1)));
        assert!(agenda.next(Timestamp::from_millis(9)).is_err(), "the stale moment is forgotten");
        agenda.put(due(3, Priority::Normal, 2));
        agenda.drop_task(due(3, Priority::Normal, 2).task);
        assert!(agenda.next(Timestamp::from_millis(9)).is_err());
    }

    #[test]
    fn everything_is_taken_off_once() {
        let agenda = Agenda::default();
        for due in [due(1, Priority::Normal, 1), due(7, Priority::Normal, 1), due(3, Priority::Urgent, 2)] {
            agenda.put(due);
        }
        let mut taken = agenda.take_all();
        taken.sort();
        assert_eq!(taken, [due(3, Priority::Urgent, 2), due(7, Priority::Normal, 1)]);
        assert!(agenda.is_empty() && agenda.take_all().is_empty());
    }
}
