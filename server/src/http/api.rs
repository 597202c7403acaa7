//! The REST API, `/api/v1`: its table of contents. One file a noun; the OpenAPI document comes from the same lines.

mod audit;
mod auth;
mod events;
mod evidence;
mod gate;
mod jobs;
mod mailboxes;
mod runs;
mod tenants;
mod tickets;
mod tokens;
mod users;

use super::{
    App,
    error::PROBLEM_JSON,
    extract::{MAX_CSV, MAX_JSON},
};
use axum::{Router, extract::DefaultBodyLimit};
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

/// Every route of the API and its description. While the migration module is off its routes do not exist.
pub fn router(migration: bool) -> (Router<App>, OpenApi) {
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
        .routes(routes!(audit::list));

    let routes = if migration { desk.merge(migration_routes()) } else { desk };
    let (router, mut document) = routes.layer(DefaultBodyLimit::max(MAX_JSON)).split_for_parts();
    describe_refusals(&mut document);
    (router, document)
}

fn migration_routes() -> OpenApiRouter<App> {
    let import = OpenApiRouter::new().routes(routes!(mailboxes::import)).layer(DefaultBodyLimit::max(MAX_CSV));
    OpenApiRouter::new()
        .routes(routes!(jobs::list, jobs::create))
        .routes(routes!(jobs::get, jobs::update))
        .routes(routes!(jobs::overview))
        .routes(routes!(jobs::phases))
        .routes(routes!(mailboxes::list, mailboxes::create))
        .merge(import)
        .routes(routes!(mailboxes::get, mailboxes::update, mailboxes::remove))
        .routes(routes!(mailboxes::folders))
        .routes(routes!(runs::preflight))
        .routes(routes!(runs::sync))
        .routes(routes!(evidence::latest, runs::verify))
        .routes(routes!(runs::list))
        .routes(routes!(runs::get))
        .routes(routes!(runs::log))
        .routes(routes!(events::follow))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(evidence::residue))
        .routes(routes!(evidence::quarantine))
        .routes(routes!(evidence::waive))
        .routes(routes!(gate::approve))
        .routes(routes!(gate::view))
        .routes(routes!(gate::answer))
        .routes(routes!(gate::dns_applied))
}

fn document() -> OpenApi {
    let description = "Moves a domain's mail and keeps the DNS gate shut until every message is proved to have arrived. \
        Every refusal is application/problem+json (RFC 9457) with a code for programs and a sentence for people. \
        Lists take page, per_page (at most 200) and sort, and answer items, total, page and per_page. \
        Times are RFC 3339 in UTC, sizes are bytes.";
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
