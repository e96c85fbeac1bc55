//! `muster dns`: domains and their records.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use muster_api::Resource;
use muster_api::object::ObjectAttributes;
use muster_model::object::record::{RecordData, RecordSet, RecordType, plain, relative};
use muster_model::object::{Fields, ObjectClass, ObjectWish, SeenObject, zone_file};

use super::{absent, fetched, list, one, propose};
use crate::cli::dns::{Dns, Record, RecordValues, Zone};
use crate::cli::object::{Make, Of};
use crate::command::{Answer, Context, Report};
use crate::exit::Failure;

/// Domains and records.
pub async fn dns(command: Dns, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        Dns::Zone(command) => zone(command, context).await,
        Dns::Record(command) => record(command, context).await,
    }
}

async fn zone(command: Zone, context: &Context<'_>) -> Result<Answer, Failure> {
    let class = ObjectClass::Zone;
    match command {
        Zone::List(seek) => list(class, None, &seek, context).await,
        Zone::Create { name, make } => {
            let wish = ObjectWish::Present { class, name: plain(&name), fields: Fields::new() };
            one(wish, &make, context).await
        }
        Zone::Delete(named) => absent(class, named, context).await,
        Zone::Export(shown) => {
            let (zone, records) = records(&shown.name, &shown.of, context).await?;
            Answer::done(Report::Text(zone_file::write(&zone, &records)))
        }
        Zone::Import { name, file, exact, make } => import(&name, &file, exact, &make, context).await,
    }
}

/// A domain's own name and its records of known types.
async fn records(
    name: &str,
    of: &Of,
    context: &Context<'_>,
) -> Result<(String, Vec<(String, RecordType, RecordData)>), Failure> {
    let zones = fetched(ObjectClass::Zone, None, of, &BTreeMap::new(), context).await?;
    let is_meant = |zone: &&Resource<ObjectAttributes>| {
        zone.id == name || ObjectClass::Zone.same_name(&zone.attributes.name, name)
    };
    let zone =
        zones.iter().find(is_meant).map_or_else(|| name.to_owned(), |zone| zone.attributes.name.clone());
    let found = fetched(ObjectClass::Record, Some(name), of, &BTreeMap::new(), context).await?;
    let mut unknown = 0;
    let mut known = Vec::new();
    for object in found {
        let said = object.attributes;
        let seen = SeenObject {
            class: ObjectClass::Record,
            id: object.id.as_str().into(),
            name: said.name,
            state: said.state,
            of: None,
            fields: said.fields,
        };
        match RecordData::of(&seen) {
            Some((kind, data)) => known.push((seen.name, kind, data)),
            None => unknown += 1,
        }
    }
    if unknown > 0 {
        context.screen.say(&format!(
            "{unknown} records of {zone} have types that this version does not know; they are left out"
        ));
    }
    Ok((zone, known))
}

async fn import(
    name: &str,
    file: &Path,
    exact: bool,
    make: &Make,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        let most = zone_file::BYTES_MAX as u64 + 1;
        std::io::stdin()
            .take(most)
            .read_to_string(&mut text)
            .map_err(|error| Failure::usage(format!("the standard input cannot be read: {error}")))?;
        text
    } else {
        let path = context.here.join(file);
        std::fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?
    };
    let read =
        zone_file::read(name, &text).map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
    for warning in &read.warnings {
        context.screen.say(warning);
    }
    // The domain's own name servers are the provider's.
    let is_apex_ns = |name: &str, kind: RecordType| kind == RecordType::Ns && name == "@";
    let mut sets: Vec<RecordSet> =
        read.sets.into_iter().filter(|set| !is_apex_ns(&set.name, set.kind)).collect();
    if exact {
        let (_, there) = records(name, &make.of, context).await?;
        for (owner, kind, _) in there {
            let stays =
                is_apex_ns(&owner, kind) || sets.iter().any(|set| set.name == owner && set.kind == kind);
            if !stays {
                sets.push(RecordSet {
                    zone: plain(name),
                    name: owner,
                    kind,
                    records: Vec::new(),
                    keep_others: false,
                    remove: false,
                });
            }
        }
    }
    if sets.is_empty() {
        return Err(Failure::usage(format!("{} has no record that the provider could keep", file.display())));
    }
    propose(sets.into_iter().map(ObjectWish::Records).collect(), make, context).await
}

async fn record(command: Record, context: &Context<'_>) -> Result<Answer, Failure> {
    match command {
        Record::List { zone, seek } => list(ObjectClass::Record, Some(&zone), &seek, context).await,
        Record::Set(values) => said(values, false, context).await,
        Record::Add(values) => said(values, true, context).await,
        Record::Delete { zone, name, kind, values, make } => {
            let kind = kind_of(&kind)?;
            let bare = |value: String| RecordData { value, ..RecordData::default() };
            let remove = !values.is_empty();
            let mut records: Vec<RecordData> = values.into_iter().map(bare).collect();
            if remove && matches!(kind, RecordType::Mx | RecordType::Srv) {
                records = with_values(&zone, &name, kind, &records, &make.of, context).await?;
            }
            let set = RecordSet { zone, name, kind, records, keep_others: false, remove };
            one(ObjectWish::Records(set), &make, context).await
        }
    }
}

/// Records of a priority that are named by their targets alone.
async fn with_values(
    zone: &str,
    name: &str,
    kind: RecordType,
    values: &[RecordData],
    of: &Of,
    context: &Context<'_>,
) -> Result<Vec<RecordData>, Failure> {
    let (zone, there) = records(zone, of, context).await?;
    let name = relative(name, &zone);
    let mut meant = Vec::new();
    for value in values {
        let target = plain(&value.value);
        let same =
            there.iter().filter(|(owner, is, data)| *owner == name && *is == kind && data.value == target);
        let found: Vec<RecordData> =
            same.map(|(_, _, data)| RecordData { ttl: None, ..data.clone() }).collect();
        if found.is_empty() {
            return Err(Failure::usage(format!("there is no record {name} {kind} {target} in {zone}")));
        }
        meant.extend(found);
    }
    Ok(meant)
}

fn kind_of(word: &str) -> Result<RecordType, Failure> {
    RecordType::of_word(word).ok_or_else(|| {
        let words: Vec<&str> = RecordType::ALL.into_iter().map(RecordType::word).collect();
        Failure::usage(format!("\"{word}\" is no type of records; there are {}", words.join(", ")))
    })
}

async fn said(values: RecordValues, keep_others: bool, context: &Context<'_>) -> Result<Answer, Failure> {
    let kind = kind_of(&values.kind)?;
    let records = values.values.into_iter().map(|value| RecordData {
        value,
        priority: values.preference,
        weight: values.weight,
        port: values.port,
        ttl: values.ttl,
    });
    let set = RecordSet {
        zone: values.zone,
        name: values.name,
        kind,
        records: records.collect(),
        keep_others,
        remove: false,
    };
    one(ObjectWish::Records(set), &values.make, context).await
}
