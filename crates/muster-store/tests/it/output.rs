//! Detail output: blocks that survive a torn end, caps that are said.

use muster_model::id::RunId;
use muster_store::output::{LINE_MAX, read_output};
use muster_store::{OutputLog, OutputRecord};
use proptest::prelude::*;

use crate::suite::scene::*;

fn line(step: u32, text: &str) -> OutputRecord {
    OutputRecord { at: at(i64::from(step)), step, target: "web-1".into(), text: text.into() }
}

#[test]
fn lines_come_back_by_step_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunId(id(1));
    let mut log = OutputLog::open(folder.path(), run).unwrap();
    for number in 0..5_000 {
        log.push(&line(number % 2, &format!("line {number}"))).unwrap();
    }
    log.flush().unwrap();
    let all = read_output(folder.path(), run, None, 0, 10_000).unwrap();
    assert_eq!(all.len(), 5_000);
    assert_eq!(all[4_999].text, "line 4999");
    let odd = read_output(folder.path(), run, Some(1), 4_000, 10).unwrap();
    assert_eq!(odd.len(), 10);
    assert_eq!(odd[0].text, "line 4001");
    assert_eq!(odd[0].at, at(1));
    assert!(read_output(folder.path(), RunId(id(2)), None, 0, 10).unwrap().is_empty());
}

#[test]
fn a_torn_last_block_is_left_out_and_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunId(id(1));
    let mut log = OutputLog::open(folder.path(), run).unwrap();
    log.push(&line(1, "first")).unwrap();
    log.flush().unwrap();
    let path = folder.path().join(format!("{run}.blocks"));
    let whole = std::fs::metadata(&path).unwrap().len();
    log.push(&line(1, "torn")).unwrap();
    log.flush().unwrap();
    drop(log);
    let longer = std::fs::metadata(&path).unwrap().len();
    for cut in whole + 1..longer {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        assert_eq!(read_output(folder.path(), run, None, 0, 10).unwrap(), [line(1, "first")]);
    }
    let mut log = OutputLog::open(folder.path(), run).unwrap();
    log.push(&line(1, "second")).unwrap();
    log.flush().unwrap();
    let all = read_output(folder.path(), run, None, 0, 10).unwrap();
    assert_eq!(all, [line(1, "first"), line(1, "second")]);
}

proptest! {
    #[test]
    fn any_text_stays_one_line(text in "\\PC{0,300}|[\t\r\n\u{0}]{0,20}") {
        let folder = tempfile::tempdir().unwrap();
        let mut log = OutputLog::open(folder.path(), RunId(id(1))).unwrap();
        log.push(&line(3, &text)).unwrap();
        log.flush().unwrap();
        let all = read_output(folder.path(), RunId(id(1)), None, 0, 10).unwrap();
        prop_assert_eq!(all.len(), 1);
        prop_assert!(all[0].text.len() <= LINE_MAX + 32);
    }
}

#[test]
fn a_very_long_line_is_cut_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = OutputLog::open(folder.path(), RunId(id(1))).unwrap();
    log.push(&line(1, &"я".repeat(LINE_MAX))).unwrap();
    log.flush().unwrap();
    let all = read_output(folder.path(), RunId(id(1)), None, 0, 10).unwrap();
    assert!(all[0].text.ends_with("(line cut)"));
}
