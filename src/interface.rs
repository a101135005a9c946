//! The OpenAPI description: the handlers' own documentation, completed with the problems that extractors, layers and the edge return.
//!
//! The table in `implied_statuses` derives the problems of extractors and layers from the method, parameters, body and security of an
//! operation; a handler lists only the problems of its own rules. The HTTP metrics create series at zero for the statuses in the completed
//! description. The constraints of a field or parameter belong to the type that checks them.

use std::collections::BTreeSet;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{Operation as Documented, ParameterIn, PathItem};
use utoipa::openapi::response::{Response as Answer, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Interface, Ref, RefOr, Required};
use utoipa::{Modify, OpenApi};

use crate::http::{Code, Problem};
use crate::metrics::http::Operation;
use crate::operations::INTERNAL;

/// Codes of problems that any request can cause.
const ANY: [Code; 2] = [Code::Internal, Code::Timeout];
/// Codes of the problems of the body extractor.
const BODY: [Code; 5] =
    [Code::MalformedJson, Code::RequestTimeout, Code::PayloadTooLarge, Code::UnsupportedMediaType, Code::ValidationFailed];
/// Errors that the edge returns in place of a replica (`handle_errors` in the Caddyfile), as status and code.
pub const EDGE: [(u16, &str); 4] = [(413, "payload_too_large"), (502, "bad_gateway"), (503, "unavailable"), (504, "gateway_timeout")];
/// The code of the edge's other errors, except the 404 of internal routes. No operation lists these errors: they could only be listed as
/// a `default` response, which would make every status valid.
pub const EDGE_DEFAULT: &str = "edge_error";

/// Collections in which POST creates a resource, and the path of that resource. The field `id` of the response is the `{id}` in the path.
const CREATED: [(&str, &str); 4] = [
    ("/api/projects", "/api/projects/{id}"),
    ("/api/projects/{id}/environments", "/api/environments/{id}"),
    ("/api/environments/{id}/sessions", "/api/sessions/{id}"),
    ("/api/posts", "/api/posts/{id}"),
];

/// The base description; the router adds every documented handler.
#[derive(OpenApi)]
#[openapi(
    info(title = "Vitrine", description = "A studio for dev environments with a public showcase. Errors are RFC 9457 problems with a stable `code`."),
    tags(
        (name = "accounts", description = "Sign up, sign in, sessions, passwords, second factors, deletion"),
        (name = "oauth", description = "Sign-in with platforms, and linked accounts"),
        (name = "projects", description = "Projects and their members"),
        (name = "showcase", description = "Published projects, readable by everyone"),
        (name = "environments", description = "Environments, their sessions, extensions and logs"),
        (name = "posts", description = "Posts about published projects, their deliveries to platforms, and their engagement figures"),
        (name = "visits", description = "Page metrics and errors that browsers report"),
        (name = "faults", description = "Fault injection, to exercise alerts and runbooks. Requires `FAULTS` and the admin role"),
        (name = "operations", description = "Health, version and fleet status"),
    ),
    components(schemas(Problem)),
    modifiers(&Credentials)
)]
pub struct Description;

/// Declares how clients authenticate.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, description: &mut Interface) {
        let schemes = &mut description.components.get_or_insert_default().security_schemes;
        schemes.insert("token".to_owned(), SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)).into());
        schemes.insert("cookie".to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("vitrine"))).into());
    }
}

/// Adds to each operation a unique identifier, the problems that extractors and layers can return, and links from a created
/// resource to its operations.
#[must_use]
pub fn complete(mut description: Interface) -> Interface {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in operations_of(item) {
            operation.operation_id = Some(operation_id(method, path));
            let statuses = implied_statuses(method, operation);
            add_responses(operation, statuses);
        }
    }
    add_links(&mut description);
    describe_problems(description)
}

/// A unique identifier, made from method and path. Handler names are not unique.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "api");
    std::iter::once(method.to_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

/// Links each creating operation to the operations on the created resource.
fn add_links(description: &mut Interface) {
    for (collection, item) in CREATED {
        let is_below = |path: &str| path.strip_prefix(item).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let below = description.paths.paths.iter_mut().filter(|(path, _)| is_below(path));
        let names: Vec<String> =
            below.flat_map(|(_, item)| operations_of(item)).filter_map(|(_, operation)| operation.operation_id.clone()).collect();
        let create = description.paths.paths.get_mut(collection).and_then(|item| item.post.as_mut());
        let Some(RefOr::T(created)) = create.and_then(|create| create.responses.responses.get_mut("201")) else { continue };
        let link = |name: &String| Link::builder().operation_id(name).parameter("id", "$response.body#/id").build();
        created.links.extend(names.iter().map(|name| (name.clone(), link(name).into())));
    }
}

/// The completed description for clients of the edge: without the routes that the edge blocks, and with the edge's own problems.
#[must_use]
pub fn public(mut description: Interface) -> Interface {
    let introduction = description.info.description.unwrap_or_default();
    description.info.description =
        Some(format!("{introduction} An error of the edge that no operation lists has the code `{EDGE_DEFAULT}`."));
    description.paths.paths.retain(|path, _| !INTERNAL.contains(&path.as_str()));
    for (_, operation) in description.paths.paths.values_mut().flat_map(operations_of) {
        add_responses(operation, EDGE.map(|(status, _)| status));
    }
    describe_problems(description)
}

/// The described operations, for the HTTP metrics.
#[must_use]
pub fn operations(description: &Interface) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (route, item) in &description.paths.paths {
        let methods = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put), ("PATCH", &item.patch), ("DELETE", &item.delete)];
        for (method, documented) in methods {
            let Some(documented) = documented else { continue };
            operations.push(Operation {
                method: method.to_owned(),
                matched: route.clone(),
                route: route.clone(),
                is_measured: true,
                has_body: documented.request_body.is_some(),
                has_answer: has_answer(documented),
                statuses: documented.responses.responses.keys().filter_map(|status| status.parse().ok()).collect(),
            });
        }
    }
    operations
}

/// The operation of a page; the description omits pages. `matched` is the template in the router, `route` the template in metrics, and
/// `own_statuses` are the statuses of the page's handler.
#[must_use]
pub fn page(matched: &str, route: &str, own_statuses: &[u16]) -> Operation {
    let statuses = own_statuses.iter().copied().chain(ANY.map(Code::status)).collect();
    let (method, matched, route) = ("GET".to_owned(), matched.to_owned(), route.to_owned());
    Operation { method, matched, route, is_measured: true, has_body: false, has_answer: true, statuses }
}

/// Whether a successful response has a body. A 200 always has one, even if its content is not described.
fn has_answer(documented: &Documented) -> bool {
    let described = |answer: &RefOr<Answer>| matches!(answer, RefOr::T(answer) if !answer.content.is_empty());
    let mut answers = documented.responses.responses.iter();
    answers.any(|(status, answer)| status == "200" || (status.starts_with('2') && described(answer)))
}

/// The operations of a path with their upper-case methods.
fn operations_of(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Documented)> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let operations = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The statuses that extractors and layers can return for this operation.
fn implied_statuses(method: &str, documented: &Documented) -> BTreeSet<u16> {
    let parameters = || {
        documented.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
    };
    let takes = |place| parameters().any(|parameter| parameter.parameter_in == place);
    let header = |name| parameters().find(|parameter| parameter.parameter_in == ParameterIn::Header && parameter.name == name);
    let table: [(bool, &[Code]); 10] = [
        (true, &ANY),
        (method != "GET", &[Code::CrossSite]),
        (documented.security.is_some(), &[Code::Unauthenticated]),
        (takes(ParameterIn::Path), &[Code::NotFound]),
        (takes(ParameterIn::Query), &[Code::InvalidQuery]),
        (takes(ParameterIn::Header), &[Code::InvalidHeader]),
        (header("Idempotency-Key").is_some(), &[Code::IdempotencyInProgress, Code::IdempotencyMismatch]),
        (header("If-Match").is_some(), &[Code::PreconditionFailed]),
        (header("If-Match").is_some_and(|parameter| parameter.required == Required::True), &[Code::PreconditionRequired]),
        (documented.request_body.is_some(), &BODY),
    ];
    table.iter().filter(|(applies, _)| *applies).flat_map(|(_, codes)| codes.iter().map(|code| code.status())).collect()
}

/// Adds responses for these statuses. A 4xx or 5xx response without content becomes a reference to the problem of its status.
fn add_responses(operation: &mut Documented, statuses: impl IntoIterator<Item = u16>) {
    let answers = &mut operation.responses.responses;
    for status in statuses {
        answers.entry(status.to_string()).or_insert_with(|| Answer::default().into());
    }
    for (status, answer) in answers {
        let RefOr::T(described) = answer else { continue };
        match status.parse() {
            Ok(status @ 400..) if described.content.is_empty() => *answer = Ref::from_response_name(problem_name(status)).into(),
            Ok(status) if described.description.is_empty() => described.description = phrase(status),
            _ => {}
        }
    }
}

/// Describes the problem of each status once, with all of its codes.
fn describe_problems(mut description: Interface) -> Interface {
    let answers = &mut description.components.get_or_insert_default().responses;
    let edge = EDGE.map(|(status, _)| status);
    let statuses: BTreeSet<u16> = Code::ALL.iter().map(|code| code.status()).chain(edge).collect();
    answers.extend(statuses.into_iter().map(|status| (problem_name(status), problem(status).into())));
    description
}

fn problem_name(status: u16) -> String {
    format!("Problem{status}")
}

fn problem(status: u16) -> Answer {
    let own = Code::ALL.iter().filter(|code| code.status() == status).map(|code| code.as_str());
    let codes: BTreeSet<&str> = own.chain(EDGE.iter().filter(|(of, _)| *of == status).map(|(_, code)| *code)).collect();
    let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let header = |description: &str, kind| {
        let schema = ObjectBuilder::new().schema_type(kind).build();
        HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
    };
    let answer = ResponseBuilder::new()
        .description(format!("{}; `code` is one of {}", phrase(status), codes.join(", ")))
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))));
    match status {
        401 => answer.header("WWW-Authenticate", header("How to authenticate", Type::String)),
        409 | 429 | 502..=504 => answer.header("Retry-After", header("Seconds to wait before a retry, if known", Type::Integer)),
        _ => answer,
    }
    .build()
}

/// The reason phrase of a status.
fn phrase(status: u16) -> String {
    let status = axum::http::StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("Response").to_owned()
}
