//! Schedules of jobs and waves.

use gatepost_contract::{JobId, Problem, WaveId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The form of a schedule, as text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ScheduleForm {
    /// Minute, hour, day of the month, month, day of the week.
    pub expression: String,
    /// A name of the IANA database.
    pub time_zone: String,
    /// `20:00-06:00`.
    pub window: String,
    /// Minutes.
    pub jitter_minutes: String,
    /// Ticked: it is in force.
    pub enabled: String,
}

#[cfg(feature = "ssr")]
impl ScheduleForm {
    fn read(&self) -> Result<gatepost_contract::ScheduleInput, Problem> {
        use crate::serverfns::input::{Fields, text, ticked};
        let mut fields = Fields::new();
        let input = gatepost_contract::ScheduleInput {
            expression: fields.must("expression", &self.expression).unwrap_or_default(),
            time_zone: text(&self.time_zone),
            window: text(&self.window),
            jitter_minutes: fields.maybe("jitter_minutes", &self.jitter_minutes),
            enabled: ticked(&self.enabled),
        };
        fields.done()?;
        Ok(input)
    }
}

/// Gives a job a schedule of its own, or changes it.
#[server(prefix = "/api/fn", endpoint = "set_job_schedule")]
pub async fn set_job_schedule(job_id: JobId, #[server(flatten)] form: ScheduleForm) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.set_job_schedule(&desk.actor, job_id, form.read()?).await?;
    context::go(&format!("/jobs/{job_id}/schedule?notice=saved"));
    Ok(())
}

/// Takes a job's own schedule away.
#[server(prefix = "/api/fn", endpoint = "clear_job_schedule")]
pub async fn clear_job_schedule(job_id: JobId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.clear_job_schedule(&desk.actor, job_id).await?;
    context::go(&format!("/jobs/{job_id}/schedule?notice=schedule_cleared"));
    Ok(())
}

/// Gives a wave a schedule of its own, or changes it.
#[server(prefix = "/api/fn", endpoint = "set_wave_schedule")]
pub async fn set_wave_schedule(wave_id: WaveId, #[server(flatten)] form: ScheduleForm) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.set_wave_schedule(&desk.actor, wave_id, form.read()?).await?;
    context::go(&format!("/waves/{wave_id}?notice=saved"));
    Ok(())
}

/// Takes a wave's schedule away.
#[server(prefix = "/api/fn", endpoint = "clear_wave_schedule")]
pub async fn clear_wave_schedule(wave_id: WaveId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.clear_wave_schedule(&desk.actor, wave_id).await?;
    context::go(&format!("/waves/{wave_id}?notice=schedule_cleared"));
    Ok(())
}
