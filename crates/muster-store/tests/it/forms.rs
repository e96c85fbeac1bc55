//! Stored forms: samples kept from the first day are read by every later version.

use muster_model::ownership::Ownership;
use muster_model::revision::{Applied, Approved, Source};
use muster_model::run::EntryKind;
use muster_store::form::{FORM, decode};

#[test]
fn samples_of_form_1_are_read() {
    let entries: Vec<EntryKind> =
        decode("journal entry", 1, include_str!("../forms/1/journal.json")).unwrap();
    assert_eq!(entries.len(), 7);
    let record: Ownership = decode("ownership record", 1, include_str!("../forms/1/ownership.json")).unwrap();
    assert_eq!(record.name.as_str(), "web-1");
    let approved: Approved = decode("revision", 1, include_str!("../forms/1/revision.json")).unwrap();
    assert_eq!((approved.back_to.unwrap().0, approved.summary.provision), (3, 3));
    let applied: Applied = decode("applied", 1, include_str!("../forms/1/applied.json")).unwrap();
    assert_eq!(applied.servers[0].provisioned["code:/srv/app"].digest, "00");
    let source: Source = decode("source", 1, include_str!("../forms/1/source.json")).unwrap();
    assert_eq!(source.entry.as_deref(), Some("infra/shop.yaml"));
}

#[test]
fn a_later_form_is_refused_in_words() {
    let error = decode::<EntryKind>("journal entry", FORM + 1, "{}").unwrap_err();
    assert!(error.to_string().contains("reads up to form 1"), "{error}");
}
