//! What a person types and what comes back, in a fixed environment.

#[test]
fn transcripts() {
    let cases = trycmd::TestCases::new();
    cases
        .env("NO_COLOR", "1")
        .env("MUSTER_HOME", "/nonexistent/muster-home")
        .env("COLUMNS", "120")
        .case("tests/cmd/*.trycmd");
}
