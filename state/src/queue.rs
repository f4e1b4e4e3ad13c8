//! Which writes go together into a statement, and which reads have to wait? A state machine without
//! I/O.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Jobs in the order of their arrival. Those of one key are done one behind the other: a statement
/// holds at most one write of a key, and a read waits for the writes that came before it.
#[derive(Debug)]
pub(crate) struct Queue<K, W, R> {
    waiting: VecDeque<(K, Job<W, R>)>,
    /// How many writes of a key wait or are under way.
    unsettled: HashMap<K, usize>,
}

#[derive(Debug)]
enum Job<W, R> {
    Write { write: W, bytes: usize },
    Read(R),
}

/// What one statement may hold; a single larger write goes alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) writes: usize,
    pub(crate) bytes: usize,
}

impl<K: Clone + Eq + Hash, W, R> Queue<K, W, R> {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            unsettled: HashMap::new(),
        }
    }

    pub(crate) fn write(&mut self, key: K, write: W, bytes: usize) {
        *self.unsettled.entry(key.clone()).or_default() += 1;
        self.waiting.push_back((key, Job::Write { write, bytes }));
    }

    /// Gives the read back if no write of its key came before it.
    pub(crate) fn read(&mut self, key: K, read: R) -> Option<R> {
        if !self.unsettled.contains_key(&key) {
            return Some(read);
        }
        self.waiting.push_back((key, Job::Read(read)));
        None
    }

    /// The writes of the next statement. Whatever was given before must be settled.
    pub(crate) fn next_batch(&mut self, limits: Limits) -> Vec<W> {
        let (mut batch, mut size) = (Vec::new(), 0);
        let (mut taken, mut left) = (HashSet::new(), VecDeque::new());
        let mut full = false;
        for (key, job) in self.waiting.drain(..) {
            match job {
                Job::Write { write, bytes } if !full && !taken.contains(&key) => {
                    full = batch.len() >= limits.writes
                        || (!batch.is_empty() && size + bytes > limits.bytes);
                    if full {
                        left.push_back((key, Job::Write { write, bytes }));
                        continue;
                    }
                    size += bytes;
                    batch.push(write);
                    taken.insert(key);
                }
                job => {
                    // What comes behind it must not overtake it.
                    taken.insert(key.clone());
                    left.push_back((key, job));
                }
            }
        }
        self.waiting = left;
        batch
    }

    /// One write of each of these keys is settled; gives the reads that need not wait any more.
    pub(crate) fn settled(&mut self, keys: impl IntoIterator<Item = K>) -> Vec<(K, R)> {
        let mut blocked = HashSet::new();
        for key in keys {
            if let Some(count) = self.unsettled.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.unsettled.remove(&key);
                }
            }
        }
        let (mut ready, mut left) = (Vec::new(), VecDeque::new());
        for (key, job) in self.waiting.drain(..) {
            match job {
                Job::Read(read) if !blocked.contains(&key) => ready.push((key, read)),
                job => {
                    blocked.insert(key.clone());
                    left.push_back((key, job));
                }
            }
        }
        self.waiting = left;
        ready
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        writes: 3,
        bytes: 100,
    };

    #[test]
    fn writes_of_one_key_go_one_behind_the_other_and_the_others_together() {
        let mut queue = Queue::<_, _, ()>::new();
        for (key, write) in [
            ("a", "a1"),
            ("a", "a2"),
            ("b", "b1"),
            ("c", "c1"),
            ("d", "d1"),
        ] {
            queue.write(key, write, 1);
        }
        assert_eq!(queue.next_batch(LIMITS), ["a1", "b1", "c1"]);
        queue.settled(["a", "b", "c"]);
        assert_eq!(queue.next_batch(LIMITS), ["a2", "d1"]);
        queue.settled(["a", "d"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_read_waits_for_the_writes_before_it_and_for_no_others() {
        let mut queue = Queue::new();
        queue.write("a", 1, 1);
        assert_eq!(queue.read("a", "read a"), None);
        assert_eq!(queue.read("b", "read b"), Some("read b"));
        queue.write("a", 2, 1);
        assert_eq!(queue.next_batch(LIMITS), [1]);
        assert_eq!(queue.settled(["a"]), [("a", "read a")]);
        assert_eq!(queue.next_batch(LIMITS), [2]);
        assert_eq!(queue.read("a", "again"), None, "2 is under way");
        assert_eq!(queue.settled(["a"]), [("a", "again")]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_write_larger_than_a_statement_goes_alone() {
        let mut queue = Queue::<_, _, ()>::new();
        for (key, bytes) in [("a", 60), ("b", 60), ("c", 500), ("d", 1)] {
            queue.write(key, key, bytes);
        }
        let mut batches = Vec::new();
        while !queue.is_empty() {
            let batch = queue.next_batch(LIMITS);
            queue.settled(batch.clone());
            batches.push(batch);
        }
        assert_eq!(batches, [vec!["a"], vec!["b"], vec!["c"], vec!["d"]]);
    }

    proptest! {
        /// Whatever arrives between the statements: everything is done, each key's jobs in the
        /// order of their arrival, no statement beyond its limits or with a key twice.
        #[test]
        fn every_job_is_done_in_the_order_of_its_key(
            jobs in prop::collection::vec((0..5_u8, any::<bool>(), 0..60_usize, 0..3_u8), 0..100)
        ) {
            let mut queue = Queue::new();
            let mut done: HashMap<u8, Vec<usize>> = HashMap::new();
            let (mut under_way, mut arrived) = (Vec::new(), HashMap::<u8, Vec<usize>>::new());
            let mut step = |queue: &mut Queue<u8, (u8, usize, usize), usize>,
                            done: &mut HashMap<u8, Vec<usize>>| {
                let settled: Vec<(u8, usize, usize)> = std::mem::take(&mut under_way);
                for (key, number, _) in &settled {
                    done.entry(*key).or_default().push(*number);
                }
                for (key, read) in queue.settled(settled.iter().map(|it| it.0)) {
                    done.entry(key).or_default().push(read);
                }
                under_way = queue.next_batch(LIMITS);
                let keys: HashSet<u8> = under_way.iter().map(|it| it.0).collect();
                assert_eq!(keys.len(), under_way.len(), "a key twice");
                let bytes: usize = under_way.iter().map(|it| it.2).sum();
                assert!(under_way.len() <= LIMITS.writes && bytes <= LIMITS.bytes);
            };
            for (number, (key, is_write, bytes, steps)) in jobs.into_iter().enumerate() {
                arrived.entry(key).or_default().push(number);
                if is_write {
                    queue.write(key, (key, number, bytes), bytes);
                } else if let Some(read) = queue.read(key, number) {
                    done.entry(key).or_default().push(read);
                }
                for _ in 0..steps {
                    step(&mut queue, &mut done);
                }
            }
            for _ in 0..300 {
                step(&mut queue, &mut done);
            }
            prop_assert!(queue.is_empty());
            prop_assert_eq!(done, arrived);
        }
    }
}
