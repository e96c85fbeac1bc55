//! Tests of the server, through its router.

mod openapi;
