//! The closed sets of names of what others are told: events, deliveries, links, the timeline.

use crate::names::{UnknownName, names};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// What kind of event stands on a job's timeline.
    "kind of event" TimelineKind {
        /// The job went to another phase.
        Phase = "phase",
        /// The verdict changed.
        Gate = "gate",
        /// A person approved or overrode, or an approval was taken away.
        Approval = "approval",
        /// Messages were given up on purpose, or taken back.
        Waiver = "waiver",
        /// A run began or ended.
        Run = "run",
        /// The domain's DNS was read or changed.
        Dns = "dns",
        /// A report was made or attached, a link was given out or taken back.
        Report = "report",
    }
}

names! {
    /// What an outgoing webhook can be told of.
    "webhook event" WebhookEvent {
        /// A gate has opened.
        GateReady = "migration.gate_ready",
        /// A gate that was open has shut.
        GateRevoked = "migration.gate_revoked",
        /// A run has ended.
        RunFinished = "migration.run_finished",
        /// A job has entered another phase.
        PhaseChanged = "migration.phase_changed",
        /// Somebody tries the webhook.
        Test = "webhook.test",
    }
}

names! {
    /// How a delivery of a webhook stands.
    "delivery status" DeliveryStatus {
        /// It waits for its first or next attempt.
        Queued = "queued",
        /// The receiver has taken it.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
}

names! {
    /// What a signed link shows of its job.
    "link kind" LinkKind {
        /// The gate, as a badge and as a small page for a frame.
        Badge = "badge",
        /// Progress in plain words, and the report.
        Customer = "customer",
    }
}
