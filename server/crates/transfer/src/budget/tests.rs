use super::{calendar::Work, *};
use time::macros::{datetime, time};

fn budget(limits: HostLimits) -> Arc<Budget> {
    Budget::new("imap.example.com", limits, Bytes::default())
}

fn later(answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Later(wait, _) => Some(wait.as_secs()),
        _ => None,
    }
}

#[test]
fn hours_may_go_over_midnight() {
    let night = |now| calendar::until_hours(now, time!(22:00), time!(6:00));
    assert_eq!(night(datetime!(2026-03-01 23:30 UTC)), None);
    assert_eq!(night(datetime!(2026-03-01 05:59 UTC)), None);
    assert_eq!(night(datetime!(2026-03-01 06:00 UTC)), Some(Duration::from_secs(16 * 3600)));
    let day = |now| calendar::until_hours(now, time!(8:00), time!(18:00));
    assert_eq!(day(datetime!(2026-03-01 18:00 UTC)), Some(Duration::from_secs(14 * 3600)));
    assert_eq!(day(datetime!(2026-03-01 08:00 UTC)), None);
}

#[test]
fn outside_of_the_hours_nothing_passes_and_no_connection_is_granted() {
    let budget = budget(HostLimits { hours: Some((time!(22:00), time!(6:00))), ..HostLimits::default() });
    let (day, night) = (datetime!(2026-03-01 12:00 UTC), datetime!(2026-03-01 22:00 UTC));
    let Answer::Later(wait, why) = budget.ask(day, Way::Down, 1, true) else { panic!("it passed") };
    assert_eq!(wait.as_secs(), 10 * 3600);
    assert!(why.contains("from 22:00 to 06:00 UTC"), "{why}");
    let refused = Budget::ask_both(&budget, &Budget::unlimited(), day).unwrap_err();
    assert_eq!(
        refused,
        "Waiting for the budget of imap.example.com until 2026-03-01 22:00 UTC: it may be worked from 22:00 to 06:00 \
         UTC only."
    );
    assert_eq!(budget.ask(night, Way::Down, 1, true), Answer::Now);
    assert!(Budget::ask_both(&Budget::unlimited(), &budget, night).is_ok());
}

#[test]
fn a_days_bytes_are_not_exceeded_and_come_back_at_midnight() {
    let noon = datetime!(2026-03-01 12:00 UTC);
    for (limits, way, other) in [
        (HostLimits { bytes_per_day: Some(1_000), ..HostLimits::default() }, Way::Down, false),
        (HostLimits { download_per_day: Some(1_000), ..HostLimits::default() }, Way::Down, true),
        (HostLimits { upload_per_day: Some(1_000), ..HostLimits::default() }, Way::Up, true),
    ] {
        let budget = budget(limits);
        assert_eq!(budget.ask(noon, way, 900, true), Answer::Now);
        assert_eq!(later(&budget.ask(noon, way, 200, true)), Some(12 * 3600), "{:?}", budget.limits());
        let reverse = if way == Way::Down { Way::Up } else { Way::Down };
        assert_eq!(budget.ask(noon, reverse, 200, true) == Answer::Now, other, "{:?}", budget.limits());
        assert_eq!(budget.ask(noon + time::Duration::hours(12), way, 200, true), Answer::Now);
    }
}

#[test]
fn a_message_that_is_larger_than_a_days_bytes_passes_alone() {
    let budget = budget(HostLimits { bytes_per_day: Some(1_000), ..HostLimits::default() });
    assert_eq!(budget.ask(datetime!(2026-03-01 12:00 UTC), Way::Up, 5_000, true), Answer::Now);
    assert!(later(&budget.ask(datetime!(2026-03-01 12:00 UTC), Way::Up, 1, true)).is_some());
}

#[test]
fn what_others_have_spent_counts_and_what_could_not_be_saved_is_not_forgotten() {
    let budget = budget(HostLimits { bytes_per_day: Some(1_000), ..HostLimits::default() });
    let now = OffsetDateTime::now_utc();
    let today = now.date();
    assert_eq!(budget.ask(now, Way::Down, 300, true), Answer::Now);
    let taken = budget.take_unsaved();
    assert_eq!(taken, [(today, Bytes { down: 300, up: 0 })]);
    assert_eq!(budget.spent_today().both(), 300, "it counts while it is being saved");
    budget.not_saved(today, taken[0].1);
    assert_eq!(budget.spent_today().both(), 300);
    let taken = budget.take_unsaved();
    budget.saved(today, taken[0].1, Bytes { down: 800, up: 0 });
    assert_eq!(budget.spent_today(), Bytes { down: 800, up: 0 });
    assert!(later(&budget.ask(now, Way::Down, 300, true)).is_some());
    assert!(budget.take_unsaved().is_empty());
}

#[test]
fn what_was_spent_before_midnight_is_still_saved_for_its_day() {
    let budget = budget(HostLimits { bytes_per_day: Some(1_000), ..HostLimits::default() });
    let (late, early) = (datetime!(2026-03-01 23:59 UTC), datetime!(2026-03-02 00:01 UTC));
    budget.ask(late, Way::Up, 10, true);
    budget.ask(early, Way::Up, 20, true);
    let up = |up| Bytes { down: 0, up };
    assert_eq!(budget.take_unsaved(), [(late.date(), up(10)), (early.date(), up(20))]);
}

#[tokio::test(start_paused = true)]
async fn messages_pass_at_the_rate_and_at_a_part_of_it_where_others_share_it() {
    let budget = budget(HostLimits { messages_per_second: Some(4.0), ..HostLimits::default() });
    for (sharers, seconds) in [(1, 2), (2, 4)] {
        budget.share(sharers);
        budget.state().next = None;
        let began = Instant::now();
        for _ in 0..9 {
            budget.admit(Way::Down, 1, true).await.unwrap();
        }
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_counts_once_on_a_host_that_is_both_sides() {
    let budget =
        budget(HostLimits { messages_per_second: Some(4.0), bytes_per_day: Some(90), ..HostLimits::default() });
    let began = Instant::now();
    for _ in 0..9 {
        Budget::pass(&budget, &budget, 5).await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(budget.spent_today(), Bytes { down: 45, up: 45 });
    assert!(Budget::pass(&budget, &budget, 5).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn connections_are_shared_and_given_back() {
    let two = budget(HostLimits { connections: Some(2), ..HostLimits::default() });
    let any = Budget::unlimited();
    let silent: &Tell<'_> = &|_, _| {};
    let first = Budget::connections(&two, &any, silent).await;
    let second = Budget::try_connections(&any, &two);
    assert!(second.is_some());
    assert!(Budget::try_connections(&two, &any).is_none());
    let said = Mutex::new(Vec::new());
    let tell = |_, sentence| said.lock().unwrap().push(sentence);
    let waiting = Budget::connections(&two, &any, &tell);
    let third = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(first);
    };
    let (third, ()) = tokio::join!(waiting, third);
    assert!(Budget::try_connections(&two, &any).is_none());
    drop(third);
    assert!(Budget::try_connections(&two, &any).is_some());
    let said = said.into_inner().unwrap();
    assert_eq!(said, ["Waiting for a connection: the 2 that the budget of imap.example.com allows are in use."]);
}

#[test]
fn processes_share_the_connections_and_each_has_one_at_least() {
    let budget = budget(HostLimits { connections: Some(4), ..HostLimits::default() });
    let any = Budget::unlimited();
    for (sharers, most) in [(1, 4), (2, 2), (9, 1)] {
        budget.share(sharers);
        let granted: Vec<_> = std::iter::from_fn(|| Budget::try_connections(&budget, &any)).take(20).collect();
        assert_eq!(granted.len(), most);
    }
}

#[test]
fn nothing_is_held_on_one_side_while_the_other_is_full() {
    let one = || budget(HostLimits { connections: Some(1), ..HostLimits::default() });
    let (a, b) = (one(), one());
    let held = Budget::try_connections(&Budget::unlimited(), &b);
    assert!(Budget::try_connections(&a, &b).is_none());
    drop(held);
    let both = Budget::try_connections(&b, &a);
    assert!(both.is_some());
}

#[test]
fn a_host_that_is_both_sides_grants_a_pair_whatever_its_limit() {
    let one = budget(HostLimits { connections: Some(1), ..HostLimits::default() });
    let pair = Budget::try_connections(&one, &one);
    assert!(pair.is_some());
    assert!(Budget::try_connections(&one, &one).is_none());
}

#[tokio::test]
async fn spent_bytes_are_a_fault_that_says_until_when() {
    let budget = budget(HostLimits { bytes_per_day: Some(2_500_000_000), ..HostLimits::default() });
    budget.admit(Way::Down, 2_500_000_000, true).await.unwrap();
    let fault = budget.admit(Way::Down, 1, true).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Throttled);
    assert!(fault.retry_after.is_some_and(|wait| wait <= Duration::from_secs(86_400)));
    assert!(fault.sentence.contains("its 2.5 GB for today are spent"), "{}", fault.sentence);
    assert!(fault.sentence.starts_with("Waiting for the budget of imap.example.com until "), "{}", fault.sentence);
}

#[test]
fn work_lasts_as_long_as_hours_and_bytes_make_it() {
    let noon = datetime!(2026-03-01 12:00 UTC);
    let plain = Work { seconds: 3_600.0, bytes: 1_000, per_day: None, today: None, hours: None };
    let night = Some((time!(22:00), time!(6:00)));
    let day = 86_400;
    for (work, hours) in [
        (plain.clone(), 1),
        (Work { seconds: 30.0 * 3_600.0, ..plain.clone() }, 30),
        (Work { per_day: Some(1_000), today: Some(1_000), ..plain.clone() }, 1),
        // Nothing is left today: the work begins at midnight.
        (Work { per_day: Some(1_000), today: Some(0), ..plain.clone() }, 13),
        // Half of it tomorrow, the rest the day after.
        (Work { per_day: Some(500), today: Some(0), seconds: 7_200.0, ..plain.clone() }, 12 + 24 + 1),
        (Work { hours: night, ..plain.clone() }, 11),
        (Work { hours: night, seconds: 9.0 * 3_600.0, ..plain.clone() }, 10 + 8 + 16 + 1),
    ] {
        assert_eq!(work.lasts(noon).as_secs(), hours * 3_600, "{work:?}");
    }
    let never = Work { per_day: Some(0), today: Some(0), ..plain };
    assert_eq!(never.lasts(noon).as_secs(), 3_650 * day);
}

#[test]
fn an_estimate_knows_the_rate() {
    let budget = budget(HostLimits { messages_per_second: Some(10.0), ..HostLimits::default() });
    assert_eq!(budget.lasts(Way::Up, 600, 1, Duration::from_secs(5)).as_secs(), 60);
    assert_eq!(budget.lasts(Way::Up, 600, 1, Duration::from_secs(90)).as_secs(), 90);
}

#[test]
fn sizes_are_written_as_providers_write_them() {
    for (bytes, text) in
        [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2_500_000_000, "2.5 GB"), (20_000_000, "20 MB")]
    {
        assert_eq!(size(bytes), text);
    }
}
