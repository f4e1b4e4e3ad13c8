use std::collections::VecDeque;

use thiserror::Error;

/// Commands that wait for a better moment, in the order in which they came.
pub(crate) struct Stash<C> {
    commands: VecDeque<C>,
    /// So many of the first ones are to be run now.
    ready: usize,
    capacity: usize,
}

/// The stash of an entity holds as many commands as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the entity has {capacity} commands stashed and takes no more; \
     try again later, or raise its `STASH_CAPACITY`"
)]
pub struct StashFull {
    /// How many it may hold.
    pub capacity: usize,
}

impl<C> Stash<C> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            commands: VecDeque::new(),
            ready: 0,
            capacity,
        }
    }

    /// Keeps a command, or gives it back.
    pub(crate) fn put(&mut self, command: C) -> Result<(), (C, StashFull)> {
        if self.commands.len() >= self.capacity {
            let capacity = self.capacity;
            return Err((command, StashFull { capacity }));
        }
        self.commands.push_back(command);
        Ok(())
    }

    /// Makes every command ready that is here now; one that is put in again meanwhile waits.
    pub(crate) fn release_all(&mut self) {
        self.ready = self.commands.len();
    }

    /// The next command to run, if one is ready.
    pub(crate) fn next_ready(&mut self) -> Option<C> {
        self.ready = self.ready.checked_sub(1)?;
        self.commands.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_there_at_the_release_comes_out_and_in_order() {
        let mut stash = Stash::new(10);
        assert_eq!(stash.next_ready(), None);
        for command in 1..=3 {
            stash.put(command).unwrap();
        }
        assert_eq!(stash.next_ready(), None);
        stash.release_all();
        assert_eq!(stash.next_ready(), Some(1));
        stash.put(1).unwrap();
        assert_eq!(stash.next_ready(), Some(2));
        assert_eq!(stash.next_ready(), Some(3));
        assert_eq!(stash.next_ready(), None);
        assert_eq!(stash.len(), 1);
        stash.release_all();
        assert_eq!(stash.next_ready(), Some(1));
        assert_eq!(stash.len(), 0);
    }

    #[test]
    fn a_full_stash_gives_the_command_back() {
        let mut stash = Stash::new(1);
        stash.put('a').unwrap();
        assert_eq!(stash.put('b'), Err(('b', StashFull { capacity: 1 })));
    }
}
