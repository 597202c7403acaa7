use super::*;
use metric_samples::Sample;

fn sample(at: i64, name: &str, value: i64) -> Sample {
    Sample { at, name: name.to_owned(), label: String::new(), value }
}

#[test]
fn every_point_is_there_and_says_whether_anybody_measured() {
    let from = 1_700_000_100;
    let samples = [
        sample(from, "messages", 4),
        sample(from + 299, "messages", 1),
        sample(from, "at_work", 1),
        sample(from + 300, "running", 3),
        sample(from + 300, "running", 2),
        sample(from + 300, "runs_failed", 2),
        sample(from + 300, "errors", 7),
        sample(from + 287 * 300, "bytes_read", 9),
        sample(from + 288 * 300, "bytes_read", 1_000),
        sample(from - 1, "bytes_read", 1_000),
        sample(from, "of a newer version", 5),
    ];
    let (points, totals) = points(&samples, from, DashboardRange::Day);
    assert_eq!(points.len(), 288);
    assert_eq!((points[0].messages, points[0].measured), (5, true));
    assert_eq!((points[1].running, points[1].errors, points[1].measured), (3, 7, false));
    assert_eq!((points[287].bytes_read, points[286].bytes_read), (9, 0));
    assert_eq!((totals.messages, totals.bytes_read, totals.errors, totals.runs_failed), (5, 9, 7, 2));
    assert!(points.windows(2).all(|two| two[0].at < two[1].at), "oldest first");
}

#[test]
fn a_forecast_needs_something_that_moves_and_something_left() {
    let now = OffsetDateTime::UNIX_EPOCH;
    let forecast = |left: i64, speed: f64| {
        foretold(Forecast { bytes_source: left, bytes_per_second: speed, ..Forecast::default() }, now)
    };
    assert_eq!(forecast(100, 10.0).eta_seconds, Some(10));
    assert_eq!(forecast(100, 10.0).ends_at.as_deref(), Some("1970-01-01T00:00:10.000Z"));
    for (left, speed) in [(100, 0.0), (0, 10.0), (-5, 10.0), (i64::MAX, 0.001)] {
        assert_eq!((forecast(left, speed).eta_seconds, forecast(left, speed).ends_at), (None, None), "{left} {speed}");
    }
}

#[test]
fn what_ends_last_stands_first() {
    let of = |eta, left| Forecast { eta_seconds: eta, bytes_source: left, ..Forecast::default() };
    let mut all = [of(None, 5), of(Some(3), 1), of(None, 50), of(Some(90), 1)];
    all.sort_by(last_first);
    assert_eq!(all.map(|f| (f.eta_seconds, f.bytes_source)), [(Some(90), 1), (Some(3), 1), (None, 50), (None, 5)]);
}

#[test]
fn hosts_are_told_with_both_directions_the_busiest_first() {
    let named = |all: &[(&str, i64)]| all.iter().map(|(n, b)| ((*n).to_owned(), *b)).collect::<Vec<_>>();
    let all = hosts(named(&[("old", 5), ("both", 4)]), named(&[("both", 4), ("new", 7)]));
    let told: Vec<_> = all.iter().map(|h| (h.host.as_str(), h.bytes_read, h.bytes_written)).collect();
    assert_eq!(told, [("both", 4, 4), ("new", 0, 7), ("old", 5, 0)]);
}
