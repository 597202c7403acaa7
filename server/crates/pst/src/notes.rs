//! Sentences about what was read around: each once, and never so many that they fill the memory.

use std::sync::{Mutex, PoisonError};

/// A growing list of sentences.
#[derive(Debug, Default)]
pub struct Notes {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    sentences: Vec<String>,
    more: u64,
}

/// Sentences that are kept; what comes after is counted.
const LIMIT: usize = 50;

impl Notes {
    /// Adds one, if it is new.
    pub fn add(&self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.sentences.contains(&sentence) {
            return;
        }
        if held.sentences.len() < LIMIT {
            held.sentences.push(sentence);
        } else {
            held.more += 1;
        }
    }

    /// All of them.
    pub fn list(&self) -> Vec<String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = held.sentences.clone();
        if held.more > 0 {
            list.push(format!("{} more of this kind.", held.more));
        }
        list
    }
}
