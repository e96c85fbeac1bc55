//! Who may ask: the router, sign-in, media types, and one small handler a verb.
//!
//! Nothing is decided about infrastructure here: a handler extracts, asks who is asking, calls the engine, and
//! says the answer in the words of `muster-api`. The same router serves a command in its own process
//! ([`router`], with an [`muster_model::rights::Authority`] in the request's extensions) and the network ([`listen`]).

pub mod answer;
pub mod app;
pub mod extract;
pub mod handler;
pub mod layers;
pub mod listen;
pub mod negotiate;
pub mod openapi;
pub mod refusal;
pub mod routes;
pub mod signin;
pub mod token;

pub use app::App;
pub use routes::router;
