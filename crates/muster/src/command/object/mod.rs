//! `muster image|network|key|storage|dns`, `server rebuild|copy`, `run undo`: objects of an account, one by one.

use std::collections::BTreeMap;

use muster_api::Resource;
use muster_api::object::{ObjectAttributes, ObjectsRequest};
use muster_api::plan::{PlanAttributes, PurposeSaid, default_space};
use muster_model::object::{FieldValue, Fields, ObjectClass, ObjectVerb, ObjectWish, PUBLIC_KEY};

use super::first_run::ensure_account;
use super::infra::change::{Manner, deal};
use super::infra::propose::finished;
use super::report::{Row, rows};
use super::{Answer, Context, Report};
use crate::cli::object::{
    Copy, Image, Key, Make, Named, Network, Of, PublicNetwork, Rebuild, Seek, Storage, StorageUser,
};
use crate::exit::Failure;

pub mod dns;

/// Images.
pub async fn image(command: Image, context: &Context<'_>) -> Result<Answer, Failure> {
    let class = ObjectClass::Image;
    match command {
        Image::List(seek) => list(class, None, &seek, context).await,
        Image::Create { name, from, technical, make } => {
            let technical =
                technical.unwrap_or_else(|| name.chars().filter(char::is_ascii_alphanumeric).collect());
            if technical.is_empty() {
                return Err(Failure::usage(format!(
                    "no technical name can be made of \"{name}\"; give one of Latin letters and digits: --technical WORD"
                )));
            }
            let fields = given([("server", Some(from)), ("technical", Some(technical))]);
            one(ObjectWish::Present { class, name, fields }, &make, context).await
        }
        Image::Delete(named) => absent(class, named, context).await,
    }
}

/// Private networks, and the public ones.
pub async fn network(command: Network, context: &Context<'_>) -> Result<Answer, Failure> {
    let class = ObjectClass::Network;
    match command {
        Network::List(seek) => list(class, None, &seek, context).await,
        Network::Show(shown) => show(class, &shown.name, &shown.of, context).await,
        Network::Create { name, location, no_dhcp, make } => {
            let mut fields = given([("location", Some(location))]);
            fields.insert("dhcp".into(), FieldValue::Flag(!no_dhcp));
            one(ObjectWish::Present { class, name, fields }, &make, context).await
        }
        Network::Rename { name, to, make } => {
            let wish = ObjectWish::Changed { class, name, rename: Some(to), fields: Fields::new() };
            one(wish, &make, context).await
        }
        Network::Delete(named) => absent(class, named, context).await,
        Network::Public(command) => public_network(command, context).await,
    }
}

async fn public_network(command: PublicNetwork, context: &Context<'_>) -> Result<Answer, Failure> {
    let class = ObjectClass::PublicNetwork;
    match command {
        PublicNetwork::List(seek) => list(class, None, &seek, context).await,
        PublicNetwork::Show(shown) => show(class, &shown.name, &shown.of, context).await,
        PublicNetwork::Create { name, location, capacity, bandwidth, make } => {
            let fields = given([
                ("location", Some(location)),
                ("capacity", Some(capacity.to_string())),
                ("bandwidth", Some(bandwidth.to_string())),
            ]);
            one(ObjectWish::Present { class, name, fields }, &make, context).await
        }
        PublicNetwork::Change { bandwidth: None, rename: None, .. } => {
            Err(Failure::usage("what is to change? give --bandwidth or --rename".to_owned()))
        }
        PublicNetwork::Change { name, bandwidth, rename, make } => {
            let fields = given([("bandwidth", bandwidth.map(|bandwidth| bandwidth.to_string()))]);
            one(ObjectWish::Changed { class, name, rename, fields }, &make, context).await
        }
        PublicNetwork::Delete(named) => absent(class, named, context).await,
    }
}

/// The longest public key that is read, in bytes.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// Public keys.
pub async fn key(command: Key, context: &Context<'_>) -> Result<Answer, Failure> {
    let class = ObjectClass::Key;
    match command {
        Key::List(seek) => list(class, None, &seek, context).await,
        Key::Add { name, file, make } => {
            let path = context.here.join(&file);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
            let line = public_line(&text)
                .map_err(|why| Failure::usage(format!("{} is no public key: {why}", path.display())))?;
            let fields = given([(PUBLIC_KEY, Some(line))]);
            one(ObjectWish::Present { class, name, fields }, &make, context).await
        }
        Key::Delete(named) => absent(class, named, context).await,
    }
}

/// The one OpenSSH line of a file.
fn public_line(text: &str) -> Result<String, &'static str> {
    if text.len() > KEY_BYTES_MAX {
        return Err("it is too long");
    }
    if text.contains("PRIVATE KEY") {
        return Err("it is a private one; give the file that ends in .pub");
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or("it is empty")?;
    if lines.next().is_some() {
        return Err("it has several lines; add keys one by one");
    }
    let mut words = line.split_whitespace();
    let known =
        |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    match (words.next(), words.next()) {
        (Some(algorithm), Some(key)) if known(algorithm) && key.starts_with("AAAA") => Ok(line.to_owned()),
        _ => Err("it does not read like `ssh-ed25519 AAAA… name`"),
    }
}

/// Object storage.
pub async fn storage(command: Storage, context: &Context<'_>) -> Result<Answer, Failure> {
    let (class, name) = (ObjectClass::Storage, "storage".to_owned());
    match command {
        Storage::Show(of) => {
            let mut found = fetched(class, None, &of, &BTreeMap::new(), context).await?;
            match found.pop() {
                Some(storage) => Answer::done(Report::Object(Box::new(storage.into()))),
                None => Err(Failure::usage(format!(
                    "account {} has no storage; `muster storage activate` makes it",
                    of.account
                ))),
            }
        }
        Storage::Activate(make) => {
            one(ObjectWish::Present { class, name, fields: Fields::new() }, &make, context).await
        }
        Storage::Deactivate(make) => one(ObjectWish::Absent { class, name }, &make, context).await,
        Storage::User(command) => storage_user(command, context).await,
    }
}

async fn storage_user(command: StorageUser, context: &Context<'_>) -> Result<Answer, Failure> {
    let class = ObjectClass::StorageUser;
    match command {
        StorageUser::List(seek) => list(class, None, &seek, context).await,
        StorageUser::Show { name, password: false, of } => show(class, &name, &of, context).await,
        StorageUser::Show { name, password: true, of } => {
            ensure_account(context, Some(&of.account)).await?;
            let said = context.client.object_password(&of.account, &name).await?;
            Answer::done(Report::Text(format!("{}\n", said.attributes.password)))
        }
        StorageUser::Create { name, make } => {
            one(ObjectWish::Present { class, name, fields: Fields::new() }, &make, context).await
        }
        StorageUser::Delete(named) => absent(class, named, context).await,
        StorageUser::Password(named) => done(named, ObjectVerb::ChangePassword, context).await,
        StorageUser::Block(named) => done(named, ObjectVerb::Block, context).await,
        StorageUser::Unblock(named) => done(named, ObjectVerb::Unblock, context).await,
    }
}

/// Makes a server anew.
pub async fn rebuild(asked: Rebuild, context: &Context<'_>) -> Result<Answer, Failure> {
    let wish = ObjectWish::Rebuilt { server: asked.name, image: asked.image, sysprep: asked.sysprep };
    one(wish, &asked.make, context).await
}

/// What the provider does to a server.
pub async fn actions(name: &str, seek: &Seek, context: &Context<'_>) -> Result<Answer, Failure> {
    list(ObjectClass::Action, Some(name), seek, context).await
}

/// Copies a server.
pub async fn copy(asked: Copy, context: &Context<'_>) -> Result<Answer, Failure> {
    let wish = ObjectWish::Copied { server: asked.name, copy: asked.copy, network: asked.network };
    one(wish, &asked.make, context).await
}

/// Fields as a person gave them; what was left out is left out.
fn given<const N: usize>(pairs: [(&str, Option<String>); N]) -> Fields {
    let pairs =
        pairs.into_iter().filter_map(|(word, value)| Some((word.to_owned(), FieldValue::Text(value?))));
    pairs.collect()
}

async fn absent(class: ObjectClass, named: Named, context: &Context<'_>) -> Result<Answer, Failure> {
    one(ObjectWish::Absent { class, name: named.name }, &named.make, context).await
}

async fn done(named: Named, verb: ObjectVerb, context: &Context<'_>) -> Result<Answer, Failure> {
    let wish = ObjectWish::Done { class: ObjectClass::StorageUser, name: named.name, verb };
    one(wish, &named.make, context).await
}

async fn one(wish: ObjectWish, make: &Make, context: &Context<'_>) -> Result<Answer, Failure> {
    propose(vec![wish], make, context).await
}

/// Has wishes planned, and deals with the plan.
async fn propose(wishes: Vec<ObjectWish>, make: &Make, context: &Context<'_>) -> Result<Answer, Failure> {
    ensure_account(context, Some(&make.of.account)).await?;
    let request = ObjectsRequest { space: default_space(), wishes };
    let plan = finished(context.client.submit_objects(&make.of.account, request).await?, context).await?;
    carry_out(plan, make, context).await
}

/// Deals with a plan about objects as its options say.
pub async fn carry_out(
    plan: Resource<PlanAttributes>,
    make: &Make,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let manner = match (make.dry_run, make.yes) {
        (true, _) => Manner::Show,
        (_, true) => Manner::Yes,
        _ => Manner::Ask,
    };
    deal(PurposeSaid::Update, plan, manner, &make.begin, context).await
}

/// What `--where` says.
fn filters(seek: &Seek) -> Result<BTreeMap<String, String>, Failure> {
    query(&seek.filters, seek.sort.as_deref())
}

/// The question that a list asks, from what a person typed.
pub fn query(filters: &[String], sort: Option<&str>) -> Result<BTreeMap<String, String>, Failure> {
    let mut query = BTreeMap::new();
    for filter in filters {
        let (word, value) = filter
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--where {filter}: write it like location=SdnSpb")))?;
        query.insert(format!("filter[{}]", word.trim()), value.trim().to_owned());
    }
    if let Some(sort) = sort {
        query.insert("sort".to_owned(), sort.to_owned());
    }
    Ok(query)
}

async fn fetched(
    class: ObjectClass,
    of: Option<&str>,
    account: &Of,
    query: &BTreeMap<String, String>,
    context: &Context<'_>,
) -> Result<Vec<Resource<ObjectAttributes>>, Failure> {
    ensure_account(context, Some(&account.account)).await?;
    let mut query = query.clone();
    if let Some(of) = of {
        query.insert("of".to_owned(), of.to_owned());
    }
    Ok(context.client.objects(&account.account, class.word(), &query).await?)
}

async fn list(
    class: ObjectClass,
    of: Option<&str>,
    seek: &Seek,
    context: &Context<'_>,
) -> Result<Answer, Failure> {
    let found = fetched(class, of, &seek.of, &filters(seek)?, context).await?;
    Answer::done(Report::Objects(class, rows(found)))
}

async fn show(class: ObjectClass, name: &str, of: &Of, context: &Context<'_>) -> Result<Answer, Failure> {
    let all = fetched(class, None, of, &BTreeMap::new(), context).await?;
    let known: Vec<String> = all.iter().map(|object| object.attributes.name.clone()).collect();
    let mut named: Vec<Row<ObjectAttributes>> = rows(
        all.into_iter()
            .filter(|object| object.id == name || class.same_name(&object.attributes.name, name))
            .collect(),
    );
    match (named.pop(), named.len()) {
        (Some(object), 0) => Answer::done(Report::Object(Box::new(object))),
        (None, _) => Err(Failure::usage(match known.is_empty() {
            true => format!("account {} has no {}", of.account, class.word()),
            false => format!("there is no {} {name}; there are {}", class.word(), known.join(", ")),
        })),
        (Some(last), _) => {
            let ids: Vec<String> = named.into_iter().chain([last]).map(|row| row.id).collect();
            Err(Failure::usage(format!("several are called {name}; name one by its id: {}", ids.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_public_line_is_taken() {
        assert_eq!(public_line("# mine\nssh-ed25519 AAAAC3 me\n").unwrap(), "ssh-ed25519 AAAAC3 me");
        for (text, why) in [
            ("", "empty"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", ".pub"),
            ("ssh-ed25519 AAAAC3 a\nssh-rsa AAAAB3 b\n", "one by one"),
            ("hello world\n", "ssh-ed25519 AAAA"),
        ] {
            assert!(public_line(text).unwrap_err().contains(why), "{text}");
        }
    }
}
