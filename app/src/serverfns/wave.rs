//! Waves: making them, who is in them, starting their runs.

use gatepost_contract::{JobId, MailboxId, Problem, WaveId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The form of a wave, as text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WaveForm {
    /// What it is called.
    pub name: String,
    /// Free text.
    pub notes: String,
    /// Its place among the waves.
    pub position: String,
    /// How many mailboxes are worked on at once.
    pub mailboxes_at_once: String,
    /// How many thousand bytes in a second.
    pub bytes_per_second: String,
}

#[cfg(feature = "ssr")]
impl WaveForm {
    fn read(&self) -> Result<gatepost_contract::WaveSettings, Problem> {
        use crate::serverfns::input::Fields;
        let mut fields = Fields::new();
        let settings = gatepost_contract::WaveSettings {
            name: fields.must("name", &self.name).unwrap_or_default(),
            notes: self.notes.clone(),
            position: fields.maybe("position", &self.position),
            mailboxes_at_once: fields.maybe("mailboxes_at_once", &self.mailboxes_at_once),
            bytes_per_second: fields
                .maybe("bytes_per_second", &self.bytes_per_second)
                .map(|kilobytes: i64| kilobytes.saturating_mul(1_000)),
        };
        fields.done()?;
        Ok(settings)
    }
}

/// Makes a wave.
#[server(prefix = "/api/fn", endpoint = "create_wave")]
pub async fn create_wave(#[server(flatten)] form: WaveForm) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let settings = form.read()?;
    let new = gatepost_contract::NewWave {
        name: settings.name,
        notes: settings.notes,
        position: settings.position,
        mailboxes_at_once: settings.mailboxes_at_once,
        bytes_per_second: settings.bytes_per_second,
        job_ids: Vec::new(),
        mailbox_ids: Vec::new(),
    };
    let wave = desk.gatepost.create_wave(&desk.actor, new).await?;
    context::go(&format!("/waves/{}?notice=wave_created", wave.id));
    Ok(())
}

/// Changes a wave.
#[server(prefix = "/api/fn", endpoint = "update_wave")]
pub async fn update_wave(wave_id: WaveId, #[server(flatten)] form: WaveForm) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.update_wave(&desk.actor, wave_id, form.read()?).await?;
    context::go(&format!("/waves/{wave_id}?notice=saved"));
    Ok(())
}

/// Forgets a wave. Its jobs and mailboxes stay.
#[server(prefix = "/api/fn", endpoint = "delete_wave")]
pub async fn delete_wave(wave_id: WaveId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.delete_wave(&desk.actor, wave_id).await?;
    context::go("/waves?notice=wave_deleted");
    Ok(())
}

/// Puts jobs and mailboxes into a wave.
#[server(prefix = "/api/fn", endpoint = "join_wave")]
pub async fn join_wave(
    wave_id: WaveId,
    #[server(default)] job_ids: Vec<JobId>,
    #[server(default)] mailbox_ids: Vec<MailboxId>,
) -> Result<(), Problem> {
    use crate::{context, i18n};
    let desk = context::desk()?;
    if job_ids.is_empty() && mailbox_ids.is_empty() {
        i18n::provide();
        return Err(Problem::field("job_ids", t!(wave.none_chosen)));
    }
    let members =
        gatepost_contract::WaveMembers { add_jobs: job_ids, add_mailboxes: mailbox_ids, ..Default::default() };
    desk.gatepost.change_wave_members(&desk.actor, wave_id, members).await?;
    context::go(&format!("/waves/{wave_id}?notice=wave_joined"));
    Ok(())
}

/// Takes a job or a mailbox out of a wave.
#[server(prefix = "/api/fn", endpoint = "leave_wave")]
pub async fn leave_wave(
    wave_id: WaveId,
    #[server(default)] job_ids: Vec<JobId>,
    #[server(default)] mailbox_ids: Vec<MailboxId>,
    #[server(default)] next: String,
) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let members =
        gatepost_contract::WaveMembers { remove_jobs: job_ids, remove_mailboxes: mailbox_ids, ..Default::default() };
    desk.gatepost.change_wave_members(&desk.actor, wave_id, members).await?;
    let next = if next.is_empty() { format!("/waves/{wave_id}") } else { next };
    context::go_back(&next, "wave_left");
    Ok(())
}

/// Puts one job or one mailbox into the wave that was chosen on its own page; empty takes it out of the present one.
#[server(prefix = "/api/fn", endpoint = "choose_wave")]
pub async fn choose_wave(
    #[server(default)] wave_id: String,
    #[server(default)] now: String,
    #[server(default)] job_id: String,
    #[server(default)] mailbox_id: String,
    #[server(default)] next: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let (wave, now) = (fields.maybe::<WaveId>("wave_id", &wave_id), fields.maybe::<WaveId>("now", &now));
    let jobs: Vec<JobId> = fields.maybe("job_id", &job_id).into_iter().collect();
    let mailboxes: Vec<MailboxId> = fields.maybe("mailbox_id", &mailbox_id).into_iter().collect();
    fields.done()?;
    let (wave, members) = match (wave, now) {
        (Some(wave), _) => {
            (wave, gatepost_contract::WaveMembers { add_jobs: jobs, add_mailboxes: mailboxes, ..Default::default() })
        }
        (None, Some(now)) => (
            now,
            gatepost_contract::WaveMembers { remove_jobs: jobs, remove_mailboxes: mailboxes, ..Default::default() },
        ),
        // Nothing was chosen, and nothing was there.
        (None, None) => {
            context::go_back(&next, "saved");
            return Ok(());
        }
    };
    desk.gatepost.change_wave_members(&desk.actor, wave, members).await?;
    context::go_back(&next, "saved");
    Ok(())
}

/// Starts runs of all that is in a wave. What could not be started waits in memory for the page that is shown next.
#[server(prefix = "/api/fn", endpoint = "start_wave")]
pub async fn start_wave(wave_id: WaveId, run_type: String) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let run_type = fields.must("run_type", &run_type);
    fields.done()?;
    let Some(run_type) = run_type else { return Err(Problem::internal()) };
    let started = desk.gatepost.start_wave(&desk.actor, wave_id, gatepost_contract::WaveStart { run_type }).await?;
    started::keep(&desk.actor, wave_id, started);
    context::go(&format!("/waves/{wave_id}"));
    Ok(())
}

/// What was started, between the form that started it and the page that shows it.
#[cfg(feature = "ssr")]
pub mod started {
    use crate::serverfns::once::Once;
    use gatepost_contract::{WaveId, WaveStarted};
    use gatepost_core::Actor;

    static WAITING: Once<WaveStarted> = Once::new();

    fn key(actor: &Actor, id: WaveId) -> String {
        format!("{id} {}", actor.label())
    }

    /// Keeps it for the person who started it.
    pub fn keep(actor: &Actor, id: WaveId, started: WaveStarted) {
        WAITING.keep(key(actor, id), started);
    }

    /// Hands it out, once.
    pub fn take(actor: &Actor, id: WaveId) -> Option<WaveStarted> {
        WAITING.take(&key(actor, id))
    }
}
