//! The parser against texts written from the format's documentation.

use muster_series::{Exposition, Kind, Limits};
use proptest::prelude::*;

const TEXT: &str = r#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
not_a_number NaN
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf",} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
"#;

fn parse(text: &str) -> Exposition {
    Exposition::parse(text, &Limits::default()).unwrap()
}

fn error(text: &str) -> String {
    Exposition::parse(text, &Limits::default()).unwrap_err().to_string()
}

/// ICT-25: the statistics come from parsing the text that node_exporter serves.
#[test]
fn reads_the_example_of_the_format() {
    let all = parse(TEXT);
    let requests = all.get("http_requests_total").unwrap();
    assert_eq!(requests.kind, Kind::Counter);
    assert_eq!(requests.help.as_deref(), Some("The total number of HTTP requests."));
    assert_eq!(requests.samples[0].timestamp_ms, Some(1_395_066_363_000));
    assert_eq!(requests.samples[1].label("code"), Some("400"));
    let escaped = &all.samples("msdos_file_access_time_seconds")[0];
    assert_eq!(escaped.label("path"), Some(r"C:\DIR\FILE.TXT"));
    assert_eq!(escaped.label("error"), Some("Cannot find file:\n\"FILE.TXT\""));
    assert_eq!(all.value("something_weird"), Some(f64::INFINITY));
    assert_eq!(all.samples("something_weird")[0].timestamp_ms, Some(-3_982_045));
    assert!(all.value("not_a_number").unwrap().is_nan());
    let histogram = all.get("http_request_duration_seconds").unwrap();
    assert_eq!(histogram.kind, Kind::Histogram);
    assert_eq!(histogram.samples.len(), 4);
    assert_eq!(histogram.samples[1].label("le"), Some("+Inf"));
}

#[test]
fn reads_open_metrics() {
    let all = parse(
        "# TYPE acme_http_router_request_seconds summary\n# UNIT acme_http_router_request_seconds seconds\n\
         acme_http_router_request_seconds_sum{path=\"/a\"} 1.5 1395066363.25\n\
         # TYPE foo counter\nfoo_total 17.0 # {trace_id=\"oHg5\"} 0.67\n# EOF\n",
    );
    assert!(all.complete);
    assert_eq!(all.families()[0].unit.as_deref(), Some("seconds"));
    assert_eq!(all.families()[0].samples[0].timestamp_ms, Some(1_395_066_363_250));
    assert_eq!(all.get("foo").unwrap().samples[0].value, 17.0);
}

#[test]
fn tells_the_line_of_an_error() {
    assert_eq!(error("a 1\nb{x=1} 2\n"), "metrics, line 2: the value of label x is not quoted");
    assert_eq!(error("a 1\n\n9b 2\n"), "metrics, line 3: `9b` is not a metric name");
    assert_eq!(error("a one\n"), "metrics, line 1: `one` is not a number");
    assert_eq!(error("a\n"), "metrics, line 1: a has no value");
    assert_eq!(error("a 1 2 3\n"), "metrics, line 1: `3` after the timestamp");
    assert_eq!(error("a{x=\"1\" y=\"2\"} 1"), "metrics, line 1: after label x: neither `,` nor `}`");
    assert_eq!(error("a{x=\"\\t\"} 1"), "metrics, line 1: unknown escape `\\t` in a label value");
    assert_eq!(error("a{x=\"1\",x=\"2\"} 1"), "metrics, line 1: label x stands twice");
    assert_eq!(error("a{x=\"1} 1"), "metrics, line 1: the value of label x has no closing quote");
    assert_eq!(
        error("a 1\n# TYPE a gauge\n"),
        "metrics, line 2: `# TYPE a` stands after samples of that name"
    );
    assert_eq!(error("# TYPE a thing\n"), "metrics, line 1: `thing` is not a metric type");
    assert_eq!(error("<html>"), "metrics, line 1: `<html>` is not a metric name");
}

#[test]
fn refuses_more_than_the_limits() {
    let limits = Limits { text_bytes_max: 100, line_bytes_max: 20, samples_max: 2, labels_max: 1 };
    let error = |text: &str| Exposition::parse(text, &limits).unwrap_err().message;
    assert_eq!(error(&"a 1\n".repeat(30)), "120 bytes of text, at most 100 are read");
    assert_eq!(error("a 1\nb 2\nc 3\n"), "more than 2 samples");
    assert_eq!(error("a{x=\"1\",y=\"2\"} 1"), "more than 1 labels");
    assert_eq!(error(&format!("{} 1", "a".repeat(30))), "a line of 32 bytes, at most 20 are read");
}

#[test]
fn work_grows_with_the_text_and_not_faster() {
    let text =
        |samples: usize| (0..samples).map(|n| format!("m_{n}{{device=\"sd{n}\"}} {n}\n")).collect::<String>();
    let all = parse(&text(50_000));
    assert_eq!(all.families().len(), 50_000);
    assert_eq!(all.value("m_49999"), Some(49_999.0));
    // Half a million escapes in help and label values: quadratic work would take minutes.
    let long = format!("a{{x=\"{}\"}} 1\n", "\\\\".repeat(500_000));
    let limits = Limits { line_bytes_max: 2 << 20, ..Limits::default() };
    assert_eq!(Exposition::parse(&long, &limits).unwrap().samples("a")[0].labels[0].1.len(), 500_000);
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC*") {
        let _ = Exposition::parse(&text, &Limits::default());
    }

    #[test]
    fn never_panics_on_almost_right_text(text in "[a#{}=\",\\\\ n1\n_.]{0,60}") {
        let _ = Exposition::parse(&text, &Limits::default());
    }

    #[test]
    fn label_values_survive_escaping(value in "\\PC*", number in any::<f64>()) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let text = format!("a{{x=\"{escaped}\"}} {number}\n");
        let all = parse(&text);
        prop_assert_eq!(all.samples("a")[0].label("x"), Some(value.as_str()));
        let read = all.value("a").unwrap();
        prop_assert!(read == number || (read.is_nan() && number.is_nan()));
    }
}
