//! Two whole days, minute by minute.

use super::stage::{Stage, terms, wave};
use crate::clock;
use gatepost_store::{
    schedules::{Owner, Terms},
    waves as wave_rows,
};
use time::{Duration, macros::datetime};

const BUSY: &str = "skipped: The runs before are still at work.";

/// Two days on which clocks change, with a pause of Gatepost itself in each: five jobs under five schedules.
#[tokio::test]
async fn a_day_of_schedules_goes_by_its_rules_also_when_clocks_change() {
    for (what, from, expect) in [
        (
            "spring",
            datetime!(2027-03-27 21:30 UTC),
            [
                vec![
                    "28 00:00 started 1",
                    "28 06:00 started 1",
                    "28 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    "28 18:00 started 1: Caught up 30 minutes late: Gatepost was not at work then.",
                ],
                // 01:30 does not exist in Lisbon on that day; 02:00 of summer time is 01:00 UTC.
                vec!["28 01:00 started 1"],
                // 22, 00, 02 and 04 o'clock in Lisbon, and 20 on the next evening.
                vec![
                    "27 22:00 started 1",
                    "28 00:00 started 1",
                    "28 01:00 started 1",
                    "28 03:00 started 1",
                    "28 19:00 started 1",
                ],
                vec![
                    "28 00:00 started 1",
                    &format!("28 06:00 {BUSY}"),
                    "28 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    &format!("28 18:00 {BUSY}"),
                ],
            ],
        ),
        (
            "autumn",
            datetime!(2027-10-30 21:30 UTC),
            [
                vec![
                    "31 00:00 started 1",
                    "31 06:00 started 1",
                    "31 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    "31 18:00 started 1: Caught up 30 minutes late: Gatepost was not at work then.",
                ],
                // 01:30 comes twice in Lisbon; the first is 00:30 UTC.
                vec!["31 00:30 started 1"],
                vec!["30 23:00 started 1", "31 02:00 started 1", "31 04:00 started 1", "31 20:00 started 1"],
                vec![
                    "31 00:00 started 1",
                    &format!("31 06:00 {BUSY}"),
                    "31 12:00 missed: Gatepost was not at work then, and when it was again it was too late.",
                    &format!("31 18:00 {BUSY}"),
                ],
            ],
        ),
    ] {
        let stage = Stage::set(from).await;
        let (usual, _) = stage.job("usual.example", &["a"], from).await;
        let (fixed, _) = stage.job("fixed.example", &["b"], from).await;
        stage.schedule(Owner::Job(fixed), &terms("30 1 * * *", "Europe/Lisbon", None), from).await;
        let (night, _) = stage.job("night.example", &["c"], from).await;
        let (stuck, _) = stage.job("stuck.example", &["d"], from).await;
        let (off, _) = stage.job("off.example", &["e"], from).await;
        stage.schedule(Owner::Job(off), &Terms { enabled: false, ..terms("*/5 * * * *", "UTC", None) }, from).await;
        let mut tx = stage.gatepost.store().begin().await.unwrap();
        let w = wave_rows::insert(&mut tx, &wave("night"), "cli", &clock::text(from)).await.unwrap();
        wave_rows::put_jobs(&mut tx, Some(w), &[night], &clock::text(from)).await.unwrap();
        tx.commit().await.unwrap();
        stage.schedule(Owner::Wave(w), &terms("0 */2 * * *", "Europe/Lisbon", Some("20:00-06:00")), from).await;

        let noon = from.replace_hour(11).unwrap() + Duration::days(1);
        let down = noon..noon + Duration::hours(7);
        assert_eq!(down.end.time(), time::macros::time!(18:30));
        stage.live(from, 23, &[down], Some(stuck)).await;

        for (job, name, expect) in [
            (usual, "usual", &expect[0]),
            (fixed, "fixed", &expect[1]),
            (night, "night", &expect[2]),
            (stuck, "stuck", &expect[3]),
        ] {
            let told = stage.told(job).await;
            println!("{what} {name}\n  {}", told.join("\n  "));
            assert_eq!(&told, expect, "{what} {name}");
        }
        assert!(stage.told(off).await.is_empty(), "{what}: what is switched off starts nothing");
    }
}
