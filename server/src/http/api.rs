//! The REST API, `/api/v1`: its table of contents. One file a noun; the OpenAPI document comes from the same lines.

mod audit;
mod auth;
mod cutover;
mod dashboard;
mod discovery;
mod events;
mod evidence;
mod gate;
mod imports;
mod jobs;
mod links;
mod logins;
mod mailboxes;
mod oauth;
mod pauses;
mod quarantine;
mod report;
mod residue;
mod runs;
mod schedules;
mod tenants;
mod tickets;
mod tokens;
pub mod uploads;
mod users;
mod waivers;
mod waves;
mod webhooks;

use super::{
    App,
    error::PROBLEM_JSON,
    extract::{MAX_CSV, MAX_JSON},
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn,
    routing::{options, post},
};
use gatepost_contract::Problem;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, Info, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
        schema::{ComponentsBuilder, Schema},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        server::Server,
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every route of the API and its description.
pub struct Api {
    /// For known callers.
    pub known: Router<App>,
    /// For known callers, with bodies of any size.
    pub uploads: Router<App>,
    /// What a signed link opens.
    pub linked: Router<App>,
    /// The description of all of them.
    pub document: OpenApi,
}

/// The routes. While the migration module is off its own do not exist.
pub fn router(migration: bool) -> Api {
    let desk = OpenApiRouter::with_openapi(document())
        .routes(routes!(auth::token))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::get, tenants::update))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::update))
        .routes(routes!(tickets::list, tickets::create))
        .routes(routes!(tickets::get, tickets::update))
        .routes(routes!(tickets::attachment))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::update, webhooks::remove))
        .routes(routes!(webhooks::replace_secret))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(audit::verify));

    let routes = if migration { desk.merge(migration_routes()) } else { desk };
    let (known, mut document) = routes.layer(DefaultBodyLimit::max(MAX_JSON)).split_for_parts();
    let (uploads, linked) =
        if migration { (upload_routes(), public_routes()) } else { (OpenApiRouter::new(), OpenApiRouter::new()) };
    let (uploads, of_uploads) = uploads.split_for_parts();
    let (linked, of_linked) = linked.split_for_parts();
    document.merge(of_uploads);
    document.merge(of_linked);
    describe_refusals(&mut document);
    Api { known, uploads, linked, document }
}

fn migration_routes() -> OpenApiRouter<App> {
    let import = OpenApiRouter::new()
        .routes(routes!(mailboxes::import))
        .routes(routes!(imports::preview))
        .layer(DefaultBodyLimit::max(MAX_CSV));
    OpenApiRouter::new()
        .routes(routes!(jobs::list, jobs::create))
        .routes(routes!(jobs::get, jobs::update))
        .routes(routes!(jobs::overview))
        .routes(routes!(dashboard::read))
        .routes(routes!(jobs::phases))
        .routes(routes!(mailboxes::list, mailboxes::create))
        .merge(import)
        .routes(routes!(imports::template))
        .routes(routes!(imports::get, imports::store))
        .routes(routes!(imports::errors))
        .routes(routes!(discovery::discover))
        .routes(routes!(logins::report))
        .routes(routes!(logins::counts))
        .routes(routes!(logins::check))
        .routes(routes!(mailboxes::get, mailboxes::update, mailboxes::remove))
        .routes(routes!(mailboxes::folders))
        .routes(routes!(uploads::of_mailbox))
        .routes(routes!(uploads::of_job))
        .routes(routes!(uploads::pieces))
        .routes(routes!(uploads::items))
        .routes(routes!(uploads::server_file))
        .routes(routes!(runs::preflight))
        .routes(routes!(runs::sync))
        .routes(routes!(evidence::latest, runs::verify))
        .routes(routes!(runs::list))
        .routes(routes!(runs::get))
        .routes(routes!(runs::log))
        .routes(routes!(runs::tool_log))
        .routes(routes!(events::follow))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(residue::list))
        .routes(routes!(residue::classes))
        .routes(routes!(residue::csv))
        .routes(routes!(residue::json))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::retry_many))
        .routes(routes!(quarantine::retry))
        .routes(routes!(quarantine::waive))
        .routes(routes!(quarantine::headers))
        .routes(routes!(quarantine::message))
        .routes(routes!(waivers::list, waivers::create))
        .routes(routes!(waivers::get, waivers::withdraw))
        .routes(routes!(links::list, links::create))
        .routes(routes!(links::revoke))
        .routes(routes!(oauth::list_apps, oauth::create_app))
        .routes(routes!(oauth::get_app, oauth::update_app, oauth::remove_app))
        .routes(routes!(oauth::of_job, oauth::ask_for_job))
        .routes(routes!(oauth::unconfirmed, oauth::confirm))
        .routes(routes!(oauth::revocations))
        .routes(routes!(oauth::of_mailbox, oauth::ask_for_mailbox))
        .routes(routes!(oauth::get, oauth::withdraw))
        .routes(routes!(oauth::check))
        .routes(routes!(oauth::device))
        .routes(routes!(oauth::link))
        .routes(routes!(gate::approve))
        .routes(routes!(gate::view))
        .routes(routes!(gate::history))
        .routes(routes!(gate::timeline))
        .routes(routes!(gate::answer))
        .routes(routes!(cutover::view, cutover::read))
        .routes(routes!(cutover::settings, cutover::set_settings))
        .routes(routes!(cutover::rollback))
        .routes(routes!(cutover::dns_applied))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::preview))
        .routes(routes!(schedules::occurrences))
        .routes(routes!(schedules::of_job, schedules::set, schedules::clear))
        .routes(routes!(waves::list, waves::create))
        .routes(routes!(waves::get, waves::update, waves::remove))
        .routes(routes!(waves::members))
        .routes(routes!(waves::start))
        .routes(routes!(waves::set_schedule, waves::clear_schedule))
        .routes(routes!(pauses::list, pauses::create))
        .routes(routes!(pauses::end))
        .routes(routes!(report::view, report::attach))
        .routes(routes!(report::document))
        .routes(routes!(report::signature))
        .routes(routes!(report::paper))
}

/// The addresses that take files: their bodies may be of any size and last as long as they must. HEAD and OPTIONS are
/// those of tus; clients of it know them.
fn upload_routes() -> OpenApiRouter<App> {
    let tus = OpenApiRouter::new()
        .routes(routes!(uploads::create))
        .routes(routes!(uploads::get, uploads::append, uploads::remove))
        .route("/uploads", options(uploads::discover))
        .route("/uploads/{id}", post(uploads::overridden).head(uploads::offset).options(uploads::discover))
        .layer(from_fn(uploads::announce));
    tus.routes(routes!(uploads::upload_form)).layer(DefaultBodyLimit::disable())
}

/// For callers whom nobody knows: what a signed link opens, and what helps to check a report.
fn public_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(links::badge)).routes(routes!(report::schema)).routes(routes!(report::key))
}

fn document() -> OpenApi {
    let description = "Moves a domain's mail and keeps the DNS gate shut until every message is proved to have arrived. \
        Every refusal is application/problem+json (RFC 9457) with a code for programs and a sentence for people. \
        Lists take page, per_page (at most 200) and sort, and answer items, total, page and per_page. \
        Times are RFC 3339 in UTC, sizes are bytes. Measurements for Prometheus are not below this address but at \
        /metrics, as text, for service tokens with metrics:read.";
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An access token of POST /auth/token, or a service token."))
        .build();
    let cookie = ApiKeyValue::with_description(
        super::session::COOKIE,
        "The Desk's session. Unsafe methods must come from the Desk's own pages.",
    );
    let mut info = Info::new("Gatepost API", env!("CARGO_PKG_VERSION"));
    info.description = Some(description.to_owned());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/api/v1")]))
        .components(Some(
            ComponentsBuilder::new()
                .schema(Problem::name(), problem_schema())
                .schema(gatepost_contract::FieldError::name(), gatepost_contract::FieldError::schema())
                .schema(gatepost_contract::FigureChange::name(), gatepost_contract::FigureChange::schema())
                .security_scheme("bearer", SecurityScheme::Http(bearer))
                .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
                .build(),
        ))
        .security(Some([
            SecurityRequirement::new("bearer", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]))
        .build()
}

fn problem_schema() -> RefOr<Schema> {
    Problem::schema()
}

/// Every operation may refuse, always in the same shape.
fn describe_refusals(document: &mut OpenApi) {
    let refusal = ResponseBuilder::new()
        .description("A refusal")
        .content(PROBLEM_JSON, ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build())
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), refusal.clone().into());
        }
    }
}
