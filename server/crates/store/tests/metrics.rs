//! Samples over time, and the figures of everything.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use gatepost_store::{
    figures,
    metric_samples::{self, COARSE, FINE, Fold, Sample},
};

fn sample(at: i64, name: &str, label: &str, value: i64) -> Sample {
    Sample { at, name: name.to_owned(), label: label.to_owned(), value }
}

fn fold(name: &str) -> Fold {
    if name == "running" { Fold::Highest } else { Fold::Sum }
}

#[tokio::test]
async fn every_process_adds_to_a_stretch_and_the_highest_counts_of_what_goes_up_and_down() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    for value in [3, 4] {
        metric_samples::add(&mut tx, FINE, &sample(300, "messages", "", value), Fold::Sum).await.unwrap();
    }
    for value in [5, 9, 2] {
        metric_samples::add(&mut tx, FINE, &sample(300, "running", "", value), Fold::Highest).await.unwrap();
    }
    metric_samples::add(&mut tx, FINE, &sample(0, "messages", "", 1), Fold::Sum).await.unwrap();
    metric_samples::add(&mut tx, FINE, &sample(300, "bytes", "a.example", 7), Fold::Sum).await.unwrap();
    let mut found = metric_samples::since(&mut tx, 300).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found, [sample(300, "messages", "", 7), sample(300, "running", "", 9)]);
}

#[tokio::test]
async fn old_stretches_become_hours_and_no_sum_changes_by_it() {
    let store = common::store().await;
    let mut tx = store.begin().await.unwrap();
    for n in 0..36 {
        let at = n * FINE;
        for (name, label, value) in [("messages", "", n), ("bytes", "a.example", 2), ("running", "", 40 - n)] {
            metric_samples::add(&mut tx, FINE, &sample(at, name, label, value), fold(name)).await.unwrap();
        }
    }
    let mut hours = 0;
    while metric_samples::fold_oldest(&mut tx, 2 * COARSE, fold).await.unwrap() {
        hours += 1;
    }
    assert_eq!(hours, 2, "the third hour is not old yet");
    let found = metric_samples::since(&mut tx, 0).await.unwrap();
    let messages: i64 = found.iter().filter(|s| s.name == "messages").map(|s| s.value).sum();
    assert_eq!(messages, (0..36).sum::<i64>());
    let running: Vec<_> = found.iter().filter(|s| s.name == "running" && s.at < 2 * COARSE).map(|s| s.value).collect();
    assert_eq!(running, [40, 28], "the highest of each hour");
    assert_eq!(metric_samples::by_label(&mut tx, 0, "bytes", 5).await.unwrap(), [("a.example".to_owned(), 72)]);
    // What comes late, for an hour that was folded already, is added to it.
    metric_samples::add(&mut tx, FINE, &sample(0, "messages", "", 100), Fold::Sum).await.unwrap();
    assert!(metric_samples::fold_oldest(&mut tx, 2 * COARSE, fold).await.unwrap());
    let late: i64 =
        metric_samples::since(&mut tx, 0).await.unwrap().iter().filter(|s| s.name == "messages").map(|s| s.value).sum();
    assert_eq!(late, messages + 100);
    assert!(metric_samples::forget_before(&mut tx, COARSE).await.unwrap() > 0);
    assert!(metric_samples::since(&mut tx, 0).await.unwrap().iter().all(|s| s.at >= COARSE));
}

#[tokio::test]
async fn the_figures_of_everything_can_be_read_where_there_is_nothing_and_where_there_is_a_job() {
    let store = common::store().await;
    let empty = figures::all(&mut store.reader().await.unwrap(), "2026-01-01T00:00:00.000Z").await.unwrap();
    assert!(empty.jobs_by_phase.is_empty() && empty.runs.is_empty() && empty.upload_bytes == 0, "{empty:?}");
    assert!(empty.database_bytes > 4096);
    let mut tx = store.begin().await.unwrap();
    common::job(&mut tx, "move.example").await;
    tx.commit().await.unwrap();
    let mut conn = store.reader().await.unwrap();
    let figures = figures::all(&mut conn, "2026-01-01T00:00:00.000Z").await.unwrap();
    assert_eq!(figures.jobs_by_phase, [("discovered".to_owned(), 1)]);
    let forecasts = figures::to_copy(&mut conn).await.unwrap();
    assert_eq!(forecasts.len(), 1);
    assert_eq!((forecasts[0].forecast.running, forecasts[0].forecast.bytes_per_second), (0, 0.0));
}
