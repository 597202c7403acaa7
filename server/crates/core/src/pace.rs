//! How fast a copy goes, and how long it will still take: from what was done lately, from what is left, and from what
//! the hosts' budgets allow.

use gatepost_transfer::{Budget, Way};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// The stretch of time that the speed is taken over.
const WINDOW: Duration = Duration::from_secs(30);
/// The speed of less than this is not one.
const SHORTEST: Duration = Duration::from_millis(200);
/// What a copy does while it begins foretells nothing.
const BEGINNING: Duration = Duration::from_secs(2);
/// What a message costs beside its bytes, in bytes: small mail is bound by the number of messages.
const MESSAGE: u64 = 8 * 1024;

/// One folder's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Whether it is known how many messages there are to do.
    pub counted: bool,
    /// Whether it has been looked into, so that its bytes are known.
    pub begun: bool,
    pub done: u64,
    pub total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
}

impl Figures {
    /// It will probably have so many messages to do.
    pub const fn expect(&mut self, messages: u64) {
        self.counted = true;
        self.total = messages;
    }

    /// It begins, with so many messages and bytes to do. What was done in it before stays: a folder begins again after
    /// a broken connection.
    pub fn begin(&mut self, messages: u64, bytes: u64) {
        (self.counted, self.begun) = (true, true);
        self.total = self.done.saturating_add(messages);
        self.bytes_total = self.bytes_done.saturating_add(bytes);
    }

    pub fn add(&mut self, messages: u64, bytes: u64) {
        self.done = self.done.saturating_add(messages);
        self.bytes_done = self.bytes_done.saturating_add(bytes);
    }
}

/// The sum over folders; it is counted when all of them are. The bytes of those that have not begun are taken to be as those of the others, so that the
/// total does not jump with each folder that begins.
pub(crate) fn sum(all: impl IntoIterator<Item = Figures>) -> Figures {
    let (mut sum, mut expected, mut counted) =
        (Figures { counted: true, begun: true, ..Figures::default() }, 0_u64, 0_u64);
    for one in all {
        sum.add(one.done, one.bytes_done);
        sum.counted &= one.counted;
        sum.total += one.total;
        sum.bytes_total += one.bytes_total;
        if one.begun {
            counted += one.total;
        } else {
            expected += one.total;
        }
    }
    if counted > 0 {
        let average = sum.bytes_total as f64 / counted as f64;
        sum.bytes_total += (average * expected as f64) as u64;
    }
    sum
}

/// The speed of a run.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    points: VecDeque<Point>,
    looked_at: Option<Instant>,
    budgets: Option<(Arc<Budget>, Arc<Budget>)>,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Instant,
    bytes: u64,
    work: u64,
}

impl Pace {
    /// It is bound by these budgets, of the source and of the destination.
    pub fn bind(&mut self, source: Arc<Budget>, dest: Arc<Budget>) {
        self.budgets = Some((source, dest));
    }

    /// Another stretch of work begins, with figures of its own.
    pub fn restart(&mut self) {
        self.points.clear();
    }

    /// So much is done at this time.
    pub fn note(&mut self, at: Instant, sum: &Figures) {
        let point = Point { at, bytes: sum.bytes_done, work: work(sum.done, sum.bytes_done) };
        self.looked_at = Some(at);
        if let Some(last) = self.points.back().copied() {
            if last.work == point.work {
                return;
            }
            // A long wait is no part of the speed: it would make what is left seem to take as long.
            let waited = at.saturating_duration_since(last.at);
            if waited > WINDOW {
                for point in &mut self.points {
                    point.at += waited;
                }
            }
        }
        self.points.push_back(point);
        while self.points.len() > 2 && self.points.front().is_some_and(|p| at.duration_since(p.at) > WINDOW) {
            self.points.pop_front();
        }
    }

    fn span(&self) -> Option<(Point, Point, f64)> {
        let (first, last) = (*self.points.front()?, *self.points.back()?);
        let span = last.at.duration_since(first.at);
        (span > SHORTEST).then_some((first, last, span.as_secs_f64()))
    }

    /// Bytes in a second until now.
    pub fn bytes_per_second(&self) -> f64 {
        let (Some((first, last, seconds)), Some(now)) = (self.span(), self.looked_at) else { return 0.0 };
        let until_now = now.saturating_duration_since(first.at).as_secs_f64();
        last.bytes.saturating_sub(first.bytes) as f64 / until_now.max(seconds)
    }

    /// How long what is left will take; `None` where it cannot be told.
    pub fn left(&self, sum: &Figures) -> Option<Duration> {
        // What reads a file through counts its bytes alone.
        let by_bytes = sum.total == 0;
        if !sum.counted || by_bytes && sum.bytes_total == 0 {
            return None;
        }
        let (messages, bytes) = (sum.total.saturating_sub(sum.done), sum.bytes_total.saturating_sub(sum.bytes_done));
        if messages == 0 && (!by_bytes || bytes == 0) {
            return Some(Duration::ZERO);
        }
        let (first, last, seconds) = self.span().filter(|(first, last, _)| last.at - first.at >= BEGINNING)?;
        let speed = last.work.saturating_sub(first.work) as f64 / seconds;
        if speed <= 0.0 {
            return None;
        }
        let at_pace = Duration::try_from_secs_f64(work(messages, bytes) as f64 / speed).ok()?;
        Some(match &self.budgets {
            None => at_pace,
            Some((source, dest)) => {
                source.lasts(Way::Down, messages, bytes, at_pace).max(dest.lasts(Way::Up, messages, bytes, at_pace))
            }
        })
    }
}

const fn work(messages: u64, bytes: u64) -> u64 {
    bytes.saturating_add(messages.saturating_mul(MESSAGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_transfer::{HostLimits, budget::Bytes};

    fn figures(begun: bool, done: u64, total: u64) -> Figures {
        Figures {
            counted: true,
            begun,
            done,
            total,
            bytes_done: done * 1_000,
            bytes_total: if begun { total * 1_000 } else { 0 },
        }
    }

    #[test]
    fn the_total_stays_when_a_folder_begins_that_was_expected() {
        let before = sum([figures(true, 10, 100), figures(false, 0, 300)]);
        let after = sum([figures(true, 10, 100), figures(true, 0, 300)]);
        assert_eq!(before, after);
        assert_eq!((after.total, after.bytes_total), (400, 400_000));
    }

    #[test]
    fn nothing_is_foretold_before_every_folder_is_counted_and_an_empty_one_counts() {
        let began = Instant::now();
        let mut pace = Pace::default();
        pace.note(began, &figures(true, 0, 100));
        pace.note(began + Duration::from_secs(10), &figures(true, 20, 100));
        let mut other = Figures::default();
        assert_eq!(pace.left(&sum([figures(true, 20, 100), other])), None);
        other.expect(0);
        assert!(pace.left(&sum([figures(true, 20, 100), other])).is_some());
    }

    #[test]
    fn what_was_done_stays_when_a_folder_begins_again() {
        let mut folder = Figures::default();
        folder.begin(100, 1_000);
        folder.add(40, 400);
        folder.begin(60, 600);
        assert_eq!((folder.done, folder.total, folder.bytes_done, folder.bytes_total), (40, 100, 400, 1_000));
    }

    #[test]
    fn what_is_left_follows_from_the_speed_and_from_the_budget() {
        let began = Instant::now();
        let mut pace = Pace::default();
        pace.note(began, &figures(true, 0, 100));
        assert_eq!(pace.left(&figures(true, 0, 100)), None, "nothing is known yet");
        pace.note(began + Duration::from_secs(10), &figures(true, 20, 100));
        assert_eq!(pace.left(&figures(true, 20, 100)).unwrap().as_secs(), 40);
        assert!((pace.bytes_per_second() - 2_000.0).abs() < 1.0);
        let limits = HostLimits { messages_per_second: Some(1.0), ..HostLimits::default() };
        pace.bind(Budget::new("a", limits, Bytes::default()), Budget::unlimited());
        assert_eq!(pace.left(&figures(true, 20, 100)).unwrap().as_secs(), 80);
        assert_eq!(pace.left(&figures(true, 100, 100)), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_left_of_a_file_whose_messages_nobody_has_counted_follows_from_its_bytes() {
        let began = Instant::now();
        let file =
            |bytes_done| Figures { counted: true, begun: true, bytes_done, bytes_total: 100_000, ..Figures::default() };
        let mut pace = Pace::default();
        pace.note(began, &file(0));
        pace.note(began + Duration::from_secs(10), &file(20_000));
        assert_eq!(pace.left(&file(20_000)).unwrap().as_secs(), 40);
        assert_eq!(pace.left(&file(100_000)), Some(Duration::ZERO));
    }

    #[test]
    fn a_wait_does_not_slow_what_is_foretold() {
        let began = Instant::now();
        let mut pace = Pace::default();
        pace.note(began, &figures(true, 0, 100));
        pace.note(began + Duration::from_secs(10), &figures(true, 20, 100));
        for second in 11..3_600 {
            pace.note(began + Duration::from_secs(second), &figures(true, 20, 100));
        }
        assert_eq!(pace.left(&figures(true, 20, 100)).unwrap().as_secs(), 40);
        assert!(pace.bytes_per_second() < 10.0);
        pace.note(began + Duration::from_secs(3_600), &figures(true, 21, 100));
        let left = pace.left(&figures(true, 21, 100)).unwrap().as_secs();
        assert!((36..40).contains(&left), "{left}");
    }
}
