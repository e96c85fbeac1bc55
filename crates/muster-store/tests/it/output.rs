//! Output in files: blocks that survive a torn end.

use std::path::Path;
use std::sync::Arc;

use muster_model::id::{LaneNumber, RunId};
use muster_store::output::{LINE_MAX, read_output};
use muster_store::{Contents, DirectoryContents, OutputLog, OutputRecord};
use proptest::prelude::*;

use crate::suite::scene::*;

fn line(text: &str) -> OutputRecord {
    OutputRecord { at: at(1), step: 1, target: "web-1".into(), text: text.into() }
}

fn contents(folder: &Path) -> Arc<dyn Contents> {
    Arc::new(DirectoryContents::open(&folder.join("blobs"), folder).unwrap())
}

async fn write(folder: &Path, text: &str) {
    let log = OutputLog::open(contents(folder), RunId(id(1)), LaneNumber(0)).await.unwrap();
    log.push(&line(text)).unwrap();
    log.flush().await.unwrap();
}

async fn read(folder: &Path) -> Vec<OutputRecord> {
    read_output(contents(folder).as_ref(), RunId(id(1)), LaneNumber(0), None, 0, 10).await.unwrap()
}

#[tokio::test]
async fn a_torn_last_block_is_left_out_and_written_over() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "first").await;
    let path = folder.path().join(format!("{}.blocks", id(1)));
    let whole = std::fs::metadata(&path).unwrap().len();
    write(folder.path(), "torn").await;
    let longer = std::fs::metadata(&path).unwrap().len();
    for cut in (whole + 1..longer).rev() {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        assert_eq!(read(folder.path()).await, [line("first")]);
    }
    write(folder.path(), "second").await;
    assert_eq!(read(folder.path()).await, [line("first"), line("second")]);
}

/// A block that is being written is unfinished for a moment; whoever only looks does not take it away.
#[tokio::test]
async fn a_reader_leaves_what_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "first").await;
    let path = folder.path().join(format!("{}.blocks", id(1)));
    let first = std::fs::read(&path).unwrap();
    write(folder.path(), "second").await;
    let whole = std::fs::read(&path).unwrap();
    for half in [first.len() + 1, first.len() + 30, whole.len() - 1] {
        std::fs::write(&path, &whole[..half]).unwrap();
        let end = contents(folder.path()).output_end(RunId(id(1)), LaneNumber(0)).await.unwrap();
        assert_eq!(end.lines, 1);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, &whole[half..]).unwrap();
        assert_eq!(read(folder.path()).await, [line("first"), line("second")]);
    }
}

/// A write that failed half-way (a full disk) leaves something behind; what is written later is found all the same.
#[tokio::test]
async fn what_a_failed_write_left_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{}.blocks", id(1)));
    let log = OutputLog::open(contents(folder.path()), RunId(id(1)), LaneNumber(0)).await.unwrap();
    for text in ["first", "second", "third"] {
        log.push(&line(text)).unwrap();
        log.flush().await.unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
    }
    assert_eq!(read(folder.path()).await, ["first", "second", "third"].map(line));
}

proptest! {
    #[test]
    fn any_text_stays_one_line(text in "\\PC{0,300}|[\t\r\n\u{0}\u{85}\u{2028}]{0,20}") {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let all = runtime.block_on(async {
            write(folder.path(), &text).await;
            read(folder.path()).await
        });
        prop_assert_eq!(all.len(), 1);
        prop_assert!(all[0].text.len() <= LINE_MAX + 32);
    }
}
