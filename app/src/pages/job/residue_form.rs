//! Which residue is shown, and what is done with all of it at once. Plain forms: the filter is in the address.

use crate::{
    components::{FormState, Hidden, Icon, SelectField, Shape, TextField, count, field_id, query, query_as},
    context::encode,
    i18n::names,
    serverfns::residue::{RetryClass, WaiveClass},
};
use gatepost_contract::{CauseKind, FolderId, JobId, Mailbox, MailboxId, MessageState, ResidueClass, ResidueFilter};
use leptos::{prelude::*, server_fn::ServerFn};

/// The filter that a page was asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    mailbox: Option<MailboxId>,
    folder: Option<FolderId>,
    state: Option<MessageState>,
    cause: Option<CauseKind>,
    words: String,
}

impl Asked {
    /// What the address says; what makes no sense there is left out.
    pub fn of_query() -> Self {
        Self {
            mailbox: query_as("mailbox_id"),
            folder: query_as("folder_id"),
            state: query_as("state"),
            cause: query_as("cause_kind"),
            words: query("q").chars().filter(|c| !c.is_control()).take(200).collect(),
        }
    }

    /// The filter that shows a class.
    pub fn of_class(class: &ResidueClass) -> Self {
        Self {
            mailbox: Some(class.mailbox_id),
            folder: Some(class.folder_id),
            state: Some(class.state),
            cause: class.cause_kind,
            words: String::new(),
        }
    }

    /// The same, for refused messages only.
    pub fn quarantined(self) -> Self {
        Self { state: Some(MessageState::Quarantined), ..self }
    }

    /// Whether everything is shown.
    pub fn is_empty(&self) -> bool {
        self.pairs().iter().all(|(_, value)| value.is_empty())
    }

    /// As core wants it.
    pub fn filter(&self) -> ResidueFilter {
        ResidueFilter {
            mailbox_id: self.mailbox,
            folder_id: self.folder,
            state: self.state,
            cause_kind: self.cause,
            q: (!self.words.is_empty()).then(|| self.words.clone()),
        }
    }

    /// As an address has it.
    pub fn pairs(&self) -> [(&'static str, String); 5] {
        fn text<T: ToString>(value: Option<T>) -> String {
            value.map(|v| v.to_string()).unwrap_or_default()
        }
        [
            ("mailbox_id", text(self.mailbox)),
            ("folder_id", text(self.folder)),
            ("state", text(self.state)),
            ("cause_kind", text(self.cause)),
            ("q", self.words.clone()),
        ]
    }

    /// A path with this filter.
    pub fn address(&self, path: &str) -> String {
        let pairs = self.pairs();
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }

    fn hidden(&self) -> AnyView {
        let given = self.pairs().into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| view! { <Hidden name value/> }).collect_view().into_any()
    }
}

/// Links to the whole of what the filter shows, as files.
pub fn downloads(job: JobId, asked: &Asked) -> AnyView {
    let file = |ending: &str| asked.address(&format!("/api/v1/migration/jobs/{job}/residue.{ending}"));
    let (csv, json) = (file("csv"), file("json"));
    view! {
        <span class="hint">{t!(residue.download)}</span>
        <a class="button small" href=csv download=true>{t!(residue.csv)}</a>
        <a class="button small" href=json download=true>{t!(residue.json)}</a>
    }
    .into_any()
}

/// The form that narrows the list.
#[component]
pub fn FilterForm(
    /// The list's address.
    path: String,
    /// What is shown now.
    asked: Asked,
    /// The job's mailboxes.
    mailboxes: Vec<Mailbox>,
    /// Whether states can be chosen.
    states: bool,
) -> AnyView {
    let [(_, mailbox), (_, folder), (_, state), (_, cause), _] = asked.pairs();
    let addresses = std::iter::once((String::new(), t!(residue.mailbox_any).to_owned()))
        .chain(mailboxes.into_iter().map(|one| (one.id.to_string(), one.email)))
        .collect();
    let state_options = std::iter::once((String::new(), t!(residue.state_any).to_owned()))
        .chain(MessageState::ALL.iter().map(|one| (one.to_string(), names::message_state(*one).to_owned())))
        .collect();
    let causes = std::iter::once((String::new(), t!(residue.cause_any).to_owned()))
        .chain(CauseKind::ALL.iter().map(|one| (one.to_string(), names::cause(*one).to_owned())))
        .collect();
    let narrowed =
        if states { !asked.is_empty() } else { asked.pairs().iter().any(|(n, v)| *n != "state" && !v.is_empty()) };
    let form = FormState::default;
    let clear = narrowed.then(|| view! { <a class="button" href=path.clone()>{t!(form.clear)}</a> });
    view! {
        <form method="get" action=path class="filters">
            {(!folder.is_empty()).then(|| view! { <Hidden name="folder_id" value=folder/> })}
            <SelectField state=form() name="mailbox_id" label=t!(residue.mailbox) value=mailbox options=addresses filter=true/>
            {states.then(|| view! {
                <SelectField state=form() name="state" label=t!(residue.state) value=state options=state_options filter=true/>
            })}
            <SelectField state=form() name="cause_kind" label=t!(residue.cause) value=cause options=causes filter=true/>
            <TextField state=form() name="q" label=t!(residue.words) value=asked.words kind="search" max=200 filter=true/>
            <button type="submit" class="button">{t!(form.filter)}</button>
            {clear}
        </form>
    }
    .into_any()
}

/// Why. A page holds many forms that ask for it: each has ids of its own, and the one that was refused has the id that
/// the refusal links to.
#[component]
pub fn ReasonField(
    /// The form's state.
    state: FormState,
    /// The field's name.
    name: &'static str,
    /// Its label.
    label: &'static str,
    /// What the form is about, apart from all others of the page.
    of: String,
    /// Whether it must be filled.
    #[prop(optional)]
    required: bool,
) -> AnyView {
    let error = state.error(name);
    let id = if state.refused() { field_id(name) } else { format!("{name}-{of}") };
    let (hint, wrong) = (format!("{id}-hint"), format!("{id}-error"));
    let described = if error.is_some() { format!("{wrong} {hint}") } else { hint.clone() };
    let class = if error.is_some() { "field wrong" } else { "field" };
    view! {
        <div class=class>
            <label for=id.clone()>
                {label}
                {(!required).then(|| view! { <span class="optional">{t!(form.optional)}</span> })}
            </label>
            <p class="hint" id=hint>{if required { t!(approve.reason_hint) } else { t!(waiver.withdraw_hint) }}</p>
            <textarea
                id=id
                name=name
                rows="2"
                required=required
                maxlength="2000"
                aria-invalid=error.is_some().then_some("true")
                aria-describedby=described
            >
                {state.value(name, "")}
            </textarea>
            {error.map(|error| view! { <p class="error" id=wrong><Icon shape=Shape::Warn/>{error}</p> })}
        </div>
    }
    .into_any()
}

/// Gives up all that is shown, with a reason.
#[component]
pub fn WaiveForm(
    /// The job.
    job: JobId,
    /// What is shown.
    asked: Asked,
    /// How many messages that are.
    messages: i64,
    /// Where the form leads back to.
    page: &'static str,
) -> AnyView {
    let state = FormState::of(WaiveClass::url());
    let refused = state.refused();
    view! {
        <details class="confirm" open=refused>
            <summary class="button small">{t!(residue.waive_class, count = count(messages))}</summary>
            <form method="post" action=WaiveClass::url() class="form">
                <p>{t!(residue.waive_class_lead, count = count(messages))}</p>
                <Hidden name="job_id" value=job.to_string()/>
                <Hidden name="page" value=page/>
                <Hidden name="expected_count" value=messages.to_string()/>
                {asked.hidden()}
                <ReasonField state name="reason" label=t!(residue.reason) of="class".to_owned() required=true/>
                <button type="submit" class="button small danger">{t!(residue.waive_class_confirm, count = count(messages))}</button>
            </form>
        </details>
    }
    .into_any()
}

/// Tries all that is shown again.
#[component]
pub fn RetryForm(
    /// The job.
    job: JobId,
    /// What is shown.
    asked: Asked,
    /// How many messages that are.
    messages: i64,
) -> AnyView {
    view! {
        <form method="post" action=RetryClass::url() class="inline">
            <Hidden name="job_id" value=job.to_string()/>
            <Hidden name="expected_count" value=messages.to_string()/>
            {asked.hidden()}
            <button type="submit" class="button small primary">{t!(quarantine.retry_all, count = count(messages))}</button>
        </form>
    }
    .into_any()
}
