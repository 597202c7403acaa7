//! The Desk's pages, server functions and assets. What the pages show is the app crate's business.

mod flash;
mod form;
pub mod site;
pub mod upload;

use super::{App, identity::Identity, session};
use axum::{
    Router,
    extract::{Request, State},
    middleware::from_fn,
    response::Response,
    routing::get,
};
use gatepost_app::{CurrentActor, Flash, app::App as Pages, shell::shell};
use gatepost_contract::Problem;
use gatepost_core::Gatepost;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{LeptosRoutes, generate_route_list, render_route_with_context};
use tower_sessions::Session;

/// Leaves a refusal for the page that is shown next.
pub async fn leave_refusal(session: &Session, path: &str, problem: Problem) -> Result<(), Problem> {
    flash::store(session, path, b"", problem).await
}

/// Pages and server functions.
pub fn routes(app: &App) -> Router<App> {
    let options = app.site.options.clone();
    let pages = generate_route_list(Pages);
    // By a handler, because leptos would otherwise add the server functions too, past the handling of forms below.
    let render =
        render_route_with_context::<App, _>(pages.clone(), contexts(app.core.clone()), move || shell(options.clone()));
    let rendered =
        Router::new().leptos_routes_with_handler(pages, render).fallback(file_or_lost).layer(from_fn(flash::take));
    Router::new().merge(rendered).route("/api/fn/{*name}", get(server_function).post(server_function))
}

/// What pages and server functions find in their context.
fn contexts(core: Gatepost) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        provide_context(core.clone());
        // There is no request while the list of routes is made.
        let Some(parts) = use_context::<Parts>() else { return };
        provide_context(CurrentActor(parts.extensions.get::<Identity>().and_then(Identity::actor).cloned()));
        provide_context(parts.extensions.get::<Flash>().cloned());
        if let Some(session) = session::Desk::of(core.clone(), &parts) {
            provide_context(session);
        }
    }
}

async fn server_function(State(app): State<App>, request: Request) -> Response {
    form::handle(contexts(app.core.clone()), request).await
}

/// A file of the site, such as the favicon, or the page that says that there is nothing here.
async fn file_or_lost(State(app): State<App>, request: Request) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() != "/" {
        let mut for_file = Request::new(axum::body::Body::empty());
        for_file.method_mut().clone_from(request.method());
        for_file.uri_mut().clone_from(request.uri());
        for_file.headers_mut().clone_from(request.headers());
        let response = app.site.file(for_file).await;
        if !matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return cached(response, "public, max-age=3600");
        }
    }
    let options = app.site.options.clone();
    let render = leptos_axum::render_app_async_with_context(contexts(app.core.clone()), move || shell(options.clone()));
    let mut response = render(request).await;
    // A visitor who is not logged in is sent to the log-in all the same.
    if !response.status().is_redirection() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// The assets under their hash: they never change, so that browsers keep them.
pub fn assets(app: &App) -> Router<App> {
    Router::new().route(&format!("/{}/{{*file}}", app.site.options.site_pkg_dir), get(asset))
}

async fn asset(State(app): State<App>, request: Request) -> Response {
    let response = app.site.file(request).await;
    let kept = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    if kept { cached(response, "public, max-age=31536000, immutable") } else { response }
}

fn cached(mut response: Response, policy: &'static str) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
    response
}
